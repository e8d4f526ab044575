"""A dataset of one joint set, seen as another: what cannot be had from it is not labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from posezoo.contracts import Batch, Dataset, Sample
from posezoo.data.batches import labels2d, only_sample, take
from posezoo.joint_maps import joint_map, map_confidence, map_joints, map_labels
from posezoo.skeleton import Skeleton


class Mapped:
    """The items of `dataset` with the joints of `skeleton`; see `posezoo.joint_maps`.

    3D is centred anew on the root of `skeleton`. Where that root is not known, no joint is labelled
    in 3D.

    Raises:
        ValueError: no joint of `skeleton` can be had from the dataset.
    """

    def __init__(self, dataset: Dataset, skeleton: Skeleton) -> None:
        map_joints(torch.zeros(dataset.skeleton.num_joints, 3), dataset.skeleton, skeleton)
        self.skeleton, self.subjects = skeleton, dataset.subjects
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        return only_sample(self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once; loaders use this."""
        batch = take(self._dataset, indices)
        sets, root = (self._dataset.skeleton, self.skeleton), self.skeleton.root
        joints2d, _ = map_joints(batch.joints2d, *sets)
        joints3d, _ = map_joints(batch.joints3d, *sets)
        labelled2d, labelled3d, visible = (
            map_labels(each, *sets) for each in (batch.labelled2d, batch.labelled3d, batch.visible)
        )
        labelled3d = labelled3d & labelled3d[..., root, None]
        shift = joints3d[..., root, :]
        sure = batch.confidence
        return replace(
            batch,
            joints2d=joints2d,
            joints3d=(joints3d - shift[..., None, :]) * labelled3d[..., None],
            root_mm=batch.root_mm + shift,
            labelled2d=labelled2d,
            labelled3d=labelled3d,
            visible=visible & labelled2d,
            confidence=None if sure is None else map_confidence(sure, *sets),
        )

    @property
    def detections(self) -> tuple[str, ...]:
        """The detections of the dataset, where it has any."""
        return tuple(getattr(self._dataset, "detections", ()))

    def labels2d(self, indices: Sequence[int]) -> Tensor:  # (N, T, J) bool
        """Which 2D joints of the items are known."""
        return map_labels(labels2d(self._dataset, indices), self._dataset.skeleton, self.skeleton)

    def describe(self) -> str:
        """Which joints are exact, approximate and unknown, in a line."""
        return joint_map(self._dataset.skeleton, self.skeleton).describe()
