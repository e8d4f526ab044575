"""A list of changes, applied to whole batches or to a dataset's items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from posezoo.contracts import Batch, Dataset, Sample
from posezoo.data.augment.random_stream import RandomStream
from posezoo.data.augment.view import View, retake
from posezoo.data.batches import only_sample, take
from posezoo.skeleton import Skeleton


class Change(Protocol):
    """A change of the picture or the person."""

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The changed batch."""
        ...


@runtime_checkable
class ViewChange(Protocol):
    """A change of the view; those that follow each other cost one resampling of the picture."""

    def look(self, view: View, stream: RandomStream) -> View:
        """The changed view."""
        ...


class Augmentation:
    """Changes one after the other; on the device that the batch lives on.

    Args:
        changes: in their order.
        skeleton: the joint set of the batches, for mirrors and bones.
    """

    def __init__(self, changes: Sequence[Change | ViewChange], *, skeleton: Skeleton) -> None:
        self.changes, self.skeleton = tuple(changes), skeleton

    def __call__(
        self,
        batch: Batch,
        *,
        seed: int,
        index: int | NDArray[np.int64],  # (B,) of the items; a number: of the first, others follow
    ) -> Batch:
        """The changed batch: a function of the batch, the seed and the index alone.

        Raises:
            ValueError: a change that this data cannot take.
        """
        items = index + np.arange(len(batch)) if isinstance(index, int) else index
        view = View.of(batch)
        for place, change in enumerate(self.changes):
            stream = RandomStream(seed, items, f"augment/{place}", batch.joints2d.device)
            if isinstance(change, ViewChange):
                view = change.look(view, stream)
            else:
                batch = change(retake(batch, view, self.skeleton), stream, self.skeleton)
                view = View.of(batch)
        return retake(batch, view, self.skeleton)


class Augmented:
    """A dataset whose items are changed as they are loaded, in the loader's workers.

    Item i is a function of (seed, i) alone, as before; see `posezoo.contracts.Dataset`.
    """

    def __init__(self, dataset: Dataset, augmentation: Augmentation, *, seed: int) -> None:
        self.dataset, self.augmentation, self.seed = dataset, augmentation, seed
        self.skeleton, self.subjects = dataset.skeleton, dataset.subjects

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Sample:
        return only_sample(self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once; loaders use this."""
        index = np.asarray(indices, np.int64)
        return self.augmentation(take(self.dataset, indices), seed=self.seed, index=index)
