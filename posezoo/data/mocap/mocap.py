"""Real poses from motion capture, seen by real or invented cameras.

Poses of a `*_poses17.h5` file (or a folder of them) are turned, placed in a room and looked at; in
training from a new side each time an item comes back. Without pictures this feeds lifters; with
them, people are drawn by `posezoo.data.scene.render`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.contracts import Batch, Sample
from posezoo.data import counter_random
from posezoo.data.batches import only_sample
from posezoo.data.mocap.clips import Clips
from posezoo.data.mocap.mocap_file import Recording, find_mocap_files, read_mocap
from posezoo.data.people import balanced_items, parts_of_one_person, split_people
from posezoo.data.scene.scene import Scene
from posezoo.data.scene.views import Kind, Rig
from posezoo.limits import Dropout, Frames, ImageSize, Range, Seed, Share
from posezoo.skeleton import H36M17, Skeleton
from posezoo.trunk import trunk_from_limbs

_REACH_MM = 1300.0  # how far a joint may be from its pelvis and still be in front of a camera


class Mocap:
    """Motion capture of people, split by person. See `posezoo.contracts.Dataset`.

    "train" gives each item anew from another side on every pass, changed by `scale` and `mirror`;
    "val" (the people held out) and "all" show each pose once, from one side that depends on the
    seed. A name is one person, in whatever file it stands. Two names may be one person too (CMU
    has such): name them together in `val`.

    Args:
        path: a `*_poses17.h5` file, or a folder of them (docs/data.md).
        split: "train", "val" or "all".
        image_size: px of a square picture around the person; 0: no picture, and 2D in px of the
            camera's whole picture.
        pictures: draw the picture; without, 2D is still in px of the crop.
        seed: of every draw.
        cameras: a JSON file of cameras; empty: invented ones, as `views` says.
        views: invented cameras of a "studio" about the size of Human3.6M's; "held" by somebody, at
            any distance, pitch and roll; or "any": also wide and tele, from the floor and overhead,
            from 1 to 12 m, people off the middle and cut by the picture's edges.
        trunk: "captured": spine, thorax, neck and head as the file has them; "from_limbs": where
            the joint maps put them that make them of a detector's shoulders, hips and head.
        val: people held out, their names between "/"; empty: about a fifth of them, by a hash.
        without: people of no split, their names between "/".
        stride: take every n-th pose of a trial.
        radius_mm: how far from the room's middle a person may stand.
        margin: room around the person on each side, as a share of the joints' box.
        jitter: training crops move and resize by up to this share.
        scale: training bodies grow or shrink by up to this share.
        frames: poses of an item: one, or a clip around it (at the files' own rate, `stride` apart).
        future: how many of a clip come after the item's own pose.
        mirror: half of the training people have left and right exchanged.
        balance: people of a training pass count as their poses to the power 1 - balance: 0 takes
            each pose once, 1 all people equally often. No pose is left out at any balance.

    Raises:
        ValueError: a file that is not what it must be, or a name or number that does not fit.
    """

    skeleton: Skeleton = H36M17

    def __init__(
        self,
        *,
        path: str,
        split: Literal["train", "val", "all"] = "train",
        image_size: ImageSize = 0,
        pictures: bool = True,
        seed: Seed = 0,
        cameras: str = "",
        views: Kind = "studio",
        trunk: Literal["captured", "from_limbs"] = "captured",
        val: str = "",
        without: str = "",
        stride: Annotated[int, Range(1, 10**6)] = 1,
        frames: Frames = 1,
        future: Annotated[int, Range(0, 4095)] = 0,
        radius_mm: Annotated[float, Range(0, 10**5)] = 1000.0,
        margin: Annotated[float, Range(0, 10)] = 0.15,
        jitter: Dropout = 0.05,
        scale: Dropout = 0.0,
        mirror: bool = True,
        balance: Share = 0.5,
    ) -> None:
        recordings = [each for file in find_mocap_files(path) for each in read_mocap(file)]
        people = sorted({each.subject for each in recordings})
        if len(people) == 1 and not val:
            recordings, val = _parts(recordings, people[0])
            people = sorted({each.subject for each in recordings})
        self.subjects = split_people(people, val, split, without)
        kept = [each for each in recordings if each.subject in self.subjects]
        poses = [each.positions_mm[::stride] for each in kept]
        lengths = [len(each) for each in poses]
        self._poses = torch.from_numpy(np.concatenate(poses))
        if trunk == "from_limbs":
            self._poses = trunk_from_limbs(self._poses)
        trial = np.repeat(np.arange(len(kept)), lengths)
        self._sequence = np.array([f"{each.subject}/{each.trial}" for each in kept])[trial]
        self._frame = np.concatenate([each.frame[::stride] for each in kept])
        self._clips = Clips(trial, self._frame, frames=frames, future=future)
        self._subject = np.repeat(np.array([each.subject for each in kept]), lengths)
        self._action = np.repeat(np.array([each.action for each in kept]), lengths)
        self._varied = split == "train"
        self._items = balanced_items(self._subject, balance if self._varied else 0.0)
        rig = Rig.from_file(cameras) if cameras else Rig(invented=views)
        rig.check_room(radius_mm + _REACH_MM * (1 + scale))
        if pictures and image_size and frames > 1:
            raise ValueError(f"mocap: frames is {frames}, but pictures are drawn one at a time")
        self._seed, self._scale, self._mirror = seed, scale, mirror
        self._scene = Scene(
            image_size=image_size,
            pictures=pictures,
            seed=seed,
            margin=margin,
            jitter=jitter if self._varied else 0.0,
            rig=rig,
            radius_mm=radius_mm,
        )

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Sample:
        return only_sample(self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once; loaders use this."""
        index = np.asarray(indices, np.int64)
        item = self._items[index % len(self)]
        if not self._varied:
            index = index % len(self)
        joints = self._poses[torch.from_numpy(self._clips.window(item))].double()
        if self._varied:
            joints = self._change_body(joints, index)
        batch = self._scene.show(
            joints,
            index,
            present=self._clips.present,
            subject=self._subject[item],
            action=self._action[item],
            sequence=self._sequence[item],
        )
        return replace(batch, frame=tuple(self._frame[item].tolist()))

    def labels2d(self, indices: Sequence[int]) -> Tensor:  # (N, T, J) bool
        """All 2D joints are known: they are projected."""
        frames, joints = len(self._clips.offsets), self.skeleton.num_joints
        return torch.ones((), dtype=torch.bool).expand(len(indices), frames, joints)

    def _change_body(
        self,
        joints: Tensor,  # (N, T, J, 3) mm, world frame
        index: NDArray[np.int64],  # (N,)
    ) -> Tensor:  # (N, T, J, 3) mm, world frame
        u = torch.from_numpy(counter_random.uniform(self._seed, index, 2, "body"))
        side, size = u[:, None, None].unbind(-1)
        if self._mirror:
            turned = mirrored(joints, self.skeleton)
            joints = torch.where(side[..., None] < 0.5, turned, joints)
        return joints * (1 + self._scale * (2 * size[..., None] - 1))


def _parts(recordings: list[Recording], person: str) -> tuple[list[Recording], str]:
    """The recordings of the only person cut into parts, and who is held out."""
    lengths = [len(each.frame) for each in recordings]
    trial = np.repeat(np.arange(len(recordings)), lengths)
    names = np.array([each.trial for each in recordings])[trial]
    part = parts_of_one_person(person, names, np.concatenate([each.frame for each in recordings]))
    cut = []
    for number, each in enumerate(recordings):
        mine = part[trial == number]
        for name in np.unique(mine[mine != ""]):
            rows = mine == name
            cut.append(replace(each, subject=str(name), positions_mm=each.positions_mm[rows],
                               frame=each.frame[rows]))  # fmt: skip
    held_out = {each.subject for each in cut} - {person}
    return cut, "/".join(sorted(held_out)) or person


def mirrored(
    joints_world: Tensor,  # (..., J, 3) mm, world frame
    skeleton: Skeleton,
) -> Tensor:  # (..., J, 3) mm
    """The same person in a mirror: x changes sign, and left and right change names."""
    return joints_world[..., list(skeleton.mirror), :] * joints_world.new_tensor([-1.0, 1.0, 1.0])
