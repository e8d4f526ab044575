"""Several datasets as one, each with its share of what is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from posezoo.contracts import Batch, Dataset, Sample
from posezoo.data.batches import only_sample, take


class Mixed:
    """The items of `first`, and beside them as many of the others as `share` says.

    A pass shows each item of `first` once. The others count equally; each goes on in the next pass
    where it stopped in this one, and is seen anew whenever it begins again.

    Args:
        first: the dataset whose people count as those of the whole.
        others: further ones, of the same joint set; they may have labels in 2D only.
        share: of all items, how many are not of `first`.

    Raises:
        ValueError: a share that is none, or data of another joint set.
    """

    def __init__(self, *, first: Dataset, others: Sequence[Dataset], share: float) -> None:
        if not 0 < share < 1:
            raise ValueError(f"mix_share is {share}, expected a share between 0 and 1")
        self.skeleton, self.subjects = first.skeleton, first.subjects
        for other in others:
            if other.skeleton != self.skeleton:
                raise ValueError(
                    f"cannot mix joint sets {self.skeleton.name} and {other.skeleton.name}"
                )
        self._sources = (first, *others)
        each = max(1, round(len(first) * share / (1 - share) / len(others)))
        self._counts = np.array([len(first), *(each for _ in others)])
        self._ends = np.cumsum(self._counts)

    @property
    def left_out(self) -> int:
        """How many poses its datasets leave out because a 2D joint is missing."""
        return sum(getattr(source, "left_out", 0) for source in self._sources)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Sample:
        return only_sample(self.__getitems__([index]))

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once; loaders use this."""
        turn, place = np.divmod(np.asarray(indices, np.int64), len(self))
        source = np.searchsorted(self._ends, place, side="right")
        own = place - (self._ends - self._counts)[source] + turn * self._counts[source]
        rows = [np.flatnonzero(source == k) for k in range(len(self._sources))]
        batches = [
            take(dataset, own[row].tolist())
            for dataset, row in zip(self._sources, rows, strict=True)
            if len(row)
        ]
        return Batch.join(batches).items(torch.from_numpy(np.argsort(np.concatenate(rows))))
