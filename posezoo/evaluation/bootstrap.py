"""How far a mean error might lie elsewhere by chance: bootstrap over sequences.

Poses of one sequence resemble each other, so drawing poses would give intervals far too narrow.
Two means over the same sequences are compared by drawing the same sequences for both: what is hard
for one is hard for the other, and their difference is known far better than either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

_DRAWS = 1000
_TAILS = (0.025, 0.975)
_MOST_CELLS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Sums of an error over the poses of each sequence and group: all that a bootstrap needs."""

    sequences: int
    groups: int
    place: list[int]  # sequence * groups + group, of each cell that has poses
    total: list[float]  # of the errors that are known
    count: list[int]  # of them

    def __post_init__(self) -> None:
        cells = self.sequences * self.groups
        if not len(self.place) == len(self.total) == len(self.count) or not cells <= _MOST_CELLS:
            raise ValueError("cells: place, total and count of unequal length, or too many")
        if not all(0 <= each < cells for each in self.place):
            raise ValueError(f"cells: a place that is not one of {cells}")

    @classmethod
    def of(
        cls,
        errors: Tensor,  # (N, J) of N poses; NaN does not count
        sequence: Sequence[str],  # (N,); "": a pose of its own
        group: Sequence[str],  # (N,) estimated is the mean over groups of the mean within each
    ) -> Self:
        """Add up N poses."""
        units, unit = _numbered([name or f"pose {k}" for k, name in enumerate(sequence)])
        groups, which = _numbered(group)
        place, cell = torch.unique(unit * groups + which, return_inverse=True)
        total, count = (
            torch.zeros(len(place), dtype=torch.float64).index_add_(0, cell, each.sum(1).double())
            for each in (errors.nan_to_num(), ~errors.isnan())
        )
        return cls(
            sequences=units,
            groups=groups,
            place=place.tolist(),
            total=total.tolist(),
            count=count.long().tolist(),
        )

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        What else the table holds is of another version, and left out.

        Raises:
            KeyError: the table is of something else.
        """
        return cls(**{each.name: table[each.name] for each in fields(cls)})

    @classmethod
    def pooled(cls, runs: Sequence[Cells]) -> Cells:
        """The mean error of several runs on the same poses, such as those of other seeds.

        Raises:
            ValueError: they are not of the same sequences.
        """
        first = runs[0]
        for other in runs:
            _require_same(first, other)
        total = [sum(sums) / len(runs) for sums in zip(*(run.total for run in runs), strict=True)]
        return replace(first, total=total)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in eval.json."""
        return asdict(self)

    def drawn_means(self) -> Tensor:  # (_DRAWS,) float64
        """The mean if other sequences of the same kind had been recorded, many times."""
        sums, counts = (
            torch.zeros(self.sequences * self.groups, dtype=torch.float64)
            .index_put_((torch.tensor(self.place),), torch.tensor(each, dtype=torch.float64))
            .view(self.sequences, self.groups)
            for each in (self.total, self.count)
        )
        generator = torch.Generator().manual_seed(0)
        drawn = torch.randint(self.sequences, (_DRAWS, self.sequences), generator=generator)
        times = torch.zeros(_DRAWS, self.sequences, dtype=torch.float64)
        times.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
        return ((times @ sums) / (times @ counts)).nanmean(1)  # a group may go undrawn


def bootstrap(cells: Cells) -> tuple[float, float]:
    """The 95 % interval of the mean."""
    return _interval(cells.drawn_means())


def paired(one: Cells, other: Cells) -> tuple[float, float]:
    """The 95 % interval of the first mean less the second, over the same sequences.

    A single sequence says nothing of others: the interval is infinite.

    Raises:
        ValueError: they are not of the same sequences.
    """
    _require_same(one, other)
    if one.sequences < 2:
        return -math.inf, math.inf
    return _interval(one.drawn_means() - other.drawn_means())


def _require_same(one: Cells, other: Cells) -> None:
    if (one.sequences, one.groups, one.place) != (other.sequences, other.groups, other.place):
        raise ValueError("a paired interval needs errors of the same sequences")


def _interval(means: Tensor) -> tuple[float, float]:
    low, high = means.quantile(torch.tensor(_TAILS, dtype=torch.float64)).tolist()
    return low, high


def _numbered(names: Sequence[str]) -> tuple[int, Tensor]:
    numbers = {name: k for k, name in enumerate(sorted(set(names)))}
    return len(numbers), torch.tensor([numbers[name] for name in names])
