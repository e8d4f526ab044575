"""The items of a dataset whose 2D joints are all known: for lifters that take no mask.

A joint that nobody labelled or found has no place. Told as (0, 0), or as anything else, it would be
a wrong one, so such items are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posezoo.contracts import Batch, Dataset, Sample
from posezoo.data.batches import labels2d, only_sample, take
from posezoo.skeleton import Skeleton

_CHUNK = 4096  # items whose labels are looked at together


class Complete:
    """Those items of `dataset`, in its order. See `posezoo.contracts.Dataset`.

    Args:
        dataset: any.
        kept: the places of those items.
    """

    def __init__(self, dataset: Dataset, kept: np.ndarray) -> None:
        self.skeleton, self.subjects = dataset.skeleton, dataset.subjects
        self.left_out = len(dataset) - len(kept)
        self.detections = getattr(dataset, "detections", ())
        self._dataset, self._kept = dataset, kept

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Sample:
        return only_sample(self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once; loaders use this."""
        turn, place = np.divmod(np.asarray(indices, np.int64), len(self))
        return take(self._dataset, (self._kept[place] + turn * len(self._dataset)).tolist())


def complete(dataset: Dataset, *, lead: int = 0, skeleton2d: Skeleton | None = None) -> Dataset:
    """The dataset itself if nothing is missing, else its complete items.

    The first `lead` frames of a clip may lack joints: they only serve the velocity of the next.
    `skeleton2d` is the set of the 2D joints, where it is not the dataset's.

    Raises:
        ValueError: it has none.
    """
    whole = np.ones(len(dataset), bool)
    joints = (skeleton2d or dataset.skeleton).joints
    missing = np.zeros(len(joints), np.int64)
    for start in range(0, len(dataset), _CHUNK):
        items = range(start, min(start + _CHUNK, len(dataset)))
        lacks = ~labels2d(dataset, items)[:, lead:].all(1).numpy()  # (n, J): in one of its frames
        whole[start : items.stop] = ~lacks.any(1)
        missing += lacks.sum(0)
    if whole.all():
        return dataset
    if not whole.any():
        worst = int(missing.argmax())
        raise ValueError(
            f"each of {len(whole):,} poses lacks a 2D joint ({joints[worst]} in "
            f"{missing[worst]:,}), and this lifter cannot be told that one is missing: take one "
            "that takes confidences (lifter.confidence=true), or other data, or beside joints2d= "
            "estimate=true"
        )
    return Complete(dataset, np.flatnonzero(whole))


def left_out(dataset: Dataset) -> int:
    """How many of its poses are left out because a 2D joint is missing."""
    return int(getattr(dataset, "left_out", 0))


def describe_left_out(count: int, poses: int) -> str:
    """In words, of so many poses."""
    return f"left out: {count:,} of {poses:,} poses: a 2D joint is missing"
