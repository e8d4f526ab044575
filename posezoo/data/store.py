"""Pictures and poses from a store: one HDF5 file, whoever made it (docs/data.md).

Made by `posezoo.data.store_writer`. Poses and pictures are mapped from the file, never held; each
picture is decoded, cropped to the person and resized when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Batch, Sample
from posezoo.data.batches import make_batch, only_sample
from posezoo.data.crop import inside, person_crop
from posezoo.data.people import split_people
from posezoo.data.pictures import crop_picture
from posezoo.data.store_check import check_numbers
from posezoo.data.store_file import open_store


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

    Raises:
        ValueError: a file that is not a whole store with sane numbers, or an empty split.
    """

    def __init__(
        self,
        *,
        path: str,
        split: Literal["train", "val", "all"] = "train",
        image_size: int = 0,
        pictures: bool = True,
        seed: int = 0,
        val: str = "",
        margin: float = 0.15,
        jitter: float = 0.05,
    ) -> None:
        if image_size < 0:
            raise ValueError(f"store: image_size is {image_size}, expected 0 or more px")
        self._file = open_store(path)
        check_numbers(self._file)
        self.skeleton = self._file.skeleton
        self._names, self._actions = self._file.names("subject"), self._file.names("action")
        held_out = val or "/".join(self._names[self._file["held_out"] != 0])
        self.subjects = split_people(self._names.tolist(), held_out, split)
        chosen = np.isin(self._names, self.subjects)
        self._items = np.flatnonzero(chosen[self._file["subject"]])
        if not len(self._items):
            raise ValueError(f"{path}: split {split!r} has people ({self.subjects}) but no item")
        self._pictures = bool(image_size) and pictures
        if self._pictures and not len(self._file["pictures"]):
            raise ValueError(f"{path}: holds no pictures; use image_size=0 or pictures=false")
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
        joints = self._rows("joints3d_mm", item) + self._rows("root_mm", item)[:, None]
        joints2d, camera = self._rows("joints2d_px", item), Camera(self._rows("camera", item))
        visible, image = self._rows("visible", item) != 0, None
        if self._size:
            scale, offset = person_crop(
                joints2d,
                size=self._size,
                margin=self._margin,
                jitter=self._jitter if self._varied else 0.0,
                seed=self._seed,
                index=index,
            )
            camera = camera.resampled(scale[:, None], offset)
            joints2d = joints2d * scale[:, None, None] + offset[:, None]
            visible &= inside(joints2d, self._size)
            if self._pictures:
                image = torch.stack([
                    self._crop(*each)
                    for each in zip(item.tolist(), scale.tolist(), offset.tolist(), strict=True)
                ])  # fmt: skip
        return make_batch(
            joints_mm=joints,
            joints2d=joints2d,
            visible=visible,
            camera=camera,
            subject=self._names[self._file["subject"][item]],
            action=self._actions[self._file["action"][item]],
            image=image,
            root=self.skeleton.root,
        )

    @property
    def joints_outside(self) -> int:
        """How many joints of the split lie outside their stored picture."""
        joints2d, size = self._rows("joints2d_px", self._items), self._rows("size_px", self._items)
        return int((~inside(joints2d, size)).sum()) if size.any() else 0

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
