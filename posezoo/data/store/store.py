"""Pictures and poses from a store: one HDF5 file, whoever made it (docs/data.md).

Made by `posezoo.data.store.store_writer`. Poses and pictures are mapped from the file,
never held; each picture is decoded, cropped to the person and resized when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Annotated, Literal, Self

import numpy as np
import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Batch, Sample
from posezoo.data.batches import make_batch, only_sample
from posezoo.data.crop import inside, person_crop
from posezoo.data.mocap.clips import Clips
from posezoo.data.people import parts_of_one_person, split_people
from posezoo.data.store.detected_joints import DetectedJoints
from posezoo.data.store.pictures import crop_picture
from posezoo.data.store.store_check import check_numbers
from posezoo.data.store.store_file import open_store
from posezoo.limits import Dropout, Frames, ImageSize, Range, Seed
from posezoo.skeleton import Skeleton


class Store:
    """The items of a store, split by person. See `posezoo.contracts.Dataset`.

    "train" crops an item anew on every pass; "val" and "all" crop it always alike.

    Args:
        path: the store.
        split: "train", "val" or "all".
        image_size: px of the square picture around the person; 0: no picture, and 2D in px of the
            stored picture.
        pictures: read the picture; without, 2D is still in px of the crop.
        seed: of the jitter.
        val: people held out, their names between "/"; empty: those that the store names.
        margin: room around the person on each side, as a share of the joints' box.
        jitter: training crops move and resize by up to this share.
        frames: poses of an item: one, or a clip around it; without pictures only.
        future: how many of a clip come after the item's own pose.
        joints2d: the detection (`posezoo data info` names them) that stands for the true 2D joints,
            for lifters; empty: the truth. Joints that it has not found are NaN and not labelled.
        estimate: also joints that the detection's joint set lacks, from those around them, such as
            a neck from thorax and head (`posezoo.joint_maps`).

    Raises:
        ValueError: a file that is not a whole store with sane numbers, an empty split, or no such
            detection.
    """

    def __init__(
        self,
        *,
        path: str,
        split: Literal["train", "val", "all"] = "train",
        image_size: ImageSize = 0,
        pictures: bool = True,
        seed: Seed = 0,
        val: str = "",
        margin: Annotated[float, Range(0, 10)] = 0.15,
        jitter: Dropout = 0.05,
        frames: Frames = 1,
        future: Annotated[int, Range(0, 4095)] = 0,
        joints2d: str = "",
        estimate: bool = False,
    ) -> None:
        self._file = open_store(path)
        check_numbers(self._file)
        self.skeleton = self._file.skeleton
        self._found = DetectedJoints.of(self._file, joints2d, estimate) if joints2d else None
        self._names, self._actions = self._file.names("subject"), self._file.names("action")
        self._sequences = self._file.names("sequence")
        held_out = val or "/".join(self._names[self._file["held_out"] != 0])
        self._subject = self._file["subject"]
        if self._file.one_person and not val:
            person = str(self._names[0])
            parts = parts_of_one_person(
                person, self._sequences[self._file["sequence"]], self._file["frame"]
            )
            self._names, self._subject = np.unique(parts, return_inverse=True)
            held_out = "/".join(sorted({*self._names.tolist()} - {person, ""})) or person
        self.subjects = split_people(
            [name for name in self._names.tolist() if name], held_out, split
        )
        chosen = np.isin(self._names, self.subjects)
        self._items = np.flatnonzero(chosen[self._subject])
        if not len(self._items):
            raise ValueError(f"{path}: split {split!r} has people ({self.subjects}) but no item")
        self._pictures = bool(image_size) and pictures
        if self._pictures and not len(self._file["pictures"]):
            raise ValueError(f"{path}: holds no pictures; use image_size=0 or pictures=false")
        if self._pictures and joints2d:
            raise ValueError(
                f"store: joints2d={joints2d} is for lifters, which see no picture; leave it out"
            )
        if self._pictures and frames > 1:
            raise ValueError(f"store: frames is {frames}, expected 1 with pictures")
        clip = np.stack([self._subject, self._file["sequence"], self._file["view"]], 1)
        numbered = np.unique(clip, axis=0, return_inverse=True)[1].reshape(-1)
        self._clips = Clips(numbered, self._file["frame"], frames=frames, future=future)
        self._varied = split == "train"
        self._size, self._seed, self._margin, self._jitter = image_size, seed, margin, jitter

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Sample:
        return only_sample(self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once; loaders use this."""
        index = np.asarray(indices, np.int64)
        item = self._items[index % len(self)]
        clip = self._clips.window(item)
        subject = self._names[self._subject[item]]
        sequence = self._sequences[self._file["sequence"][item]]
        joints = self._rows("joints3d_mm", clip) + self._rows("root_mm", clip)[:, :, None]
        joints2d, camera = self._rows("joints2d_px", clip), Camera(self._rows("camera", item))
        visible, image, sure = self._rows("visible", clip) != 0, None, None
        labelled2d = self._rows("labelled2d", clip) != 0
        true2d, known2d = joints2d, labelled2d  # the crop is around the true joints
        if self._found is not None:
            joints2d, sure = self._found.rows(clip)
            labelled2d = sure > 0
        if self._size:
            scale, offset = person_crop(
                _framed(true2d, known2d).flatten(1, 2),
                size=self._size,
                margin=self._margin,
                jitter=self._jitter if self._varied else 0.0,
                seed=self._seed,
                index=index,
            )
            camera = camera.resampled(scale[:, None], offset)
            joints2d, true2d = (
                each * scale[:, None, None, None] + offset[:, None, None]
                for each in (joints2d, true2d)
            )
            visible &= inside(true2d, self._size)
            if self._pictures:
                image = torch.stack([
                    self._crop(*each)
                    for each in zip(item.tolist(), scale.tolist(), offset.tolist(), strict=True)
                ])  # fmt: skip
        return make_batch(
            joints_mm=joints,
            joints2d=joints2d,
            labelled2d=labelled2d,
            labelled3d=self._rows("labelled3d", clip) != 0,
            visible=visible,
            camera=camera,
            subject=subject,
            action=self._actions[self._file["action"][item]],
            # People may have sequences of one name.
            sequence=np.char.add(subject, np.char.add("/", sequence)),
            frame=self._file["frame"][item],
            image=image,
            confidence=sure,
            root=self.skeleton.root,
        )

    def labels2d(self, indices: Sequence[int]) -> Tensor:  # (N, T, J) bool
        """Which 2D joints of the items are known, or were found."""
        clip = self._clips.window(self._items[np.asarray(indices, np.int64) % len(self)])
        if self._found is not None:
            return self._found.rows(clip)[1] > 0
        return self._rows("labelled2d", clip) != 0

    def told(self, skeleton: Skeleton) -> Self:
        """The same items, their detected 2D joints in a set of its own, for a lifter that wants it.

        Raises:
            ValueError: the 2D joints are the true ones, which are of the store's set.
        """
        if self._found is None:
            names = " or ".join(f"joints2d={name}" for name in self.detections)
            raise ValueError(
                f"{self._file.path}: its true 2D joints are of {self.skeleton.name}, not of "
                f"{skeleton.name}: give it {names or 'a detection (posezoo data detections)'}"
            )
        other = copy(self)
        other._found = replace(self._found, skeleton=skeleton)
        return other

    @property
    def detections(self) -> tuple[str, ...]:
        """The names that `joints2d` may have."""
        return tuple(self._file.detections)

    @property
    def joints_outside(self) -> int:
        """How many joints of the split lie outside their stored picture."""
        joints2d, size = self._rows("joints2d_px", self._items), self._rows("size_px", self._items)
        labelled = self._rows("labelled2d", self._items) != 0
        return int((labelled & ~inside(joints2d, size)).sum()) if size.any() else 0

    def verify(self) -> None:
        """Compare the whole file with its checksums.

        Raises:
            ValueError: a column is not what was written.
        """
        self._file.verify()

    def _rows(self, name: str, item: np.ndarray) -> Tensor:
        return torch.from_numpy(self._file[name][item].astype(np.float64))

    def _crop(self, item: int, scale: float, offset: list[float]) -> Tensor:
        ends = self._file["picture_end"]
        data = self._file["pictures"][ends[item - 1] if item else 0 : ends[item]].tobytes()
        try:
            return crop_picture(data, scale=scale, offset=(offset[0], offset[1]), size=self._size)
        except ValueError as error:
            raise ValueError(f"{self._file.path}: the picture of item {item} {error}") from error


def _framed(
    joints2d: Tensor,  # (N, T, J, 2) px
    labelled: Tensor,  # (N, T, J) bool
) -> Tensor:  # (N, T, J, 2) px
    """Each unlabelled joint moved onto a labelled one, so that it does not widen the crop."""
    flat, known = joints2d.flatten(1, 2), labelled.flatten(1, 2)
    stand_in = flat[torch.arange(len(flat)), known.int().argmax(1)]
    return torch.where(known[..., None], flat, stand_in[:, None]).view_as(joints2d)
