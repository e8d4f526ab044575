"""Invented people doing invented things, drawn as pictures: training and testing with no download.

Each item is a person (`body`) and a pose (`activities`), shown by a `scene`: a function of
(seed, index) alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.contracts import Batch, Sample
from posezoo.data.batches import only_sample
from posezoo.data.people import split_people
from posezoo.data.scene.scene import Scene
from posezoo.data.synthetic.activities import NAMES
from posezoo.data.synthetic.body import bone_lengths, stand_up
from posezoo.data.synthetic.poses import pose as take_up
from posezoo.limits import Dropout, ImageSize, Range, Seed
from posezoo.skeleton import H36M17, Skeleton

_POSES_EACH = 250  # of each person, if the number of items is not given


class Synthetic:
    """Invented people, split by person. See `posezoo.contracts.Dataset`.

    "train" gives each item anew, from another side and in other clothes, on every pass; "val" (the
    people held out) and "all" show each pose once. A person of a number has the same body and face
    at every seed.

    Args:
        split: "train", "val" or "all".
        image_size: px of a square picture around the person; 0: no picture, and 2D in px of the
            camera's whole picture of 1000 px.
        pictures: draw the picture; without, 2D is still in px of the crop.
        seed: of every draw.
        people: how many there are on both sides together.
        val: people held out, their names ("P00") between "/"; empty: about a fifth, by a hash.
        without: people of no split, their names between "/".
        items: poses of this split; 0: 250 of each person.
        margin: room around the person on each side, as a share of the joints' box.
        jitter: training crops move and resize by up to this share.

    Raises:
        ValueError: a number that does not fit.
    """

    skeleton: Skeleton = H36M17

    def __init__(
        self,
        *,
        split: Literal["train", "val", "all"] = "train",
        image_size: ImageSize = 64,
        pictures: bool = True,
        seed: Seed = 0,
        people: Annotated[int, Range(2, 10**5)] = 40,
        val: str = "",
        without: str = "",
        items: Annotated[int, Range(0, 10**9)] = 0,
        margin: Annotated[float, Range(0, 10)] = 0.15,
        jitter: Dropout = 0.05,
    ) -> None:
        names = [f"P{number:02d}" for number in range(people)]
        self.subjects = split_people(names, val, split, without)
        self._person = np.array([int(name[1:]) for name in self.subjects])
        self._bones = bone_lengths(self._person)
        self._items = items or _POSES_EACH * len(self.subjects)
        self._varied = split == "train"
        self._seed = seed
        self._scene = Scene(
            image_size=image_size,
            pictures=pictures,
            seed=seed,
            margin=margin,
            jitter=jitter if self._varied else 0.0,
        )

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, index: int) -> Sample:
        return only_sample(self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once; loaders use this."""
        index = np.asarray(indices, np.int64)
        item = index % len(self)
        if not self._varied:
            index = item
        who = item % len(self._person)
        index = (self._person[who] << 32) + index
        joints, activity = self._pose(who, item)
        return self._scene.show(
            torch.from_numpy(joints)[:, None],
            index,
            subject=np.array(self.subjects)[who],
            action=np.array(NAMES)[activity],
        )

    def labels2d(self, indices: Sequence[int]) -> Tensor:  # (N, 1, J) bool
        """All 2D joints are known: they are projected."""
        return torch.ones((), dtype=torch.bool).expand(len(indices), 1, self.skeleton.num_joints)

    def _pose(
        self,
        who: NDArray[np.int64],  # (N,) place among this split's people
        item: NDArray[np.int64],  # (N,)
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Joints (N, 17, 3) mm, world frame, and the activity (N,); no two people share poses."""
        number = item // len(self._person)
        angles, activity = take_up(self._seed, (self._person[who] << 32) + number)
        return stand_up(angles, self._bones[who]), activity
