"""How far a mean error might lie elsewhere by chance: bootstrap over sequences.

Poses of one sequence resemble each other, so drawing poses would give intervals far too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_DRAWS = 1000
_TAILS = (0.025, 0.975)


def bootstrap(
    errors: Tensor,  # (N, J) of N poses; NaN does not count
    sequence: Sequence[str],  # (N,); "": a pose of its own
    group: Sequence[str],  # (N,) the mean over groups of the mean within each is what is estimated
) -> tuple[float, float]:
    """The 95 % interval of that mean, if other sequences of the same kind had been recorded."""
    known = ~errors.isnan()
    units, unit = _numbered([name or f"pose {k}" for k, name in enumerate(sequence)])
    groups, place = _numbered(group)
    cell = unit * groups + place
    sums, counts = (
        torch.zeros(units * groups, dtype=torch.float64)
        .index_add_(0, cell, each.sum(1).double())
        .view(units, groups)
        for each in (errors.nan_to_num(), known)
    )
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(units, (_DRAWS, units), generator=generator)
    times = torch.zeros(_DRAWS, units, dtype=torch.float64)
    times.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    means = ((times @ sums) / (times @ counts)).nanmean(1)  # a group may go undrawn
    low, high = means.quantile(torch.tensor(_TAILS, dtype=torch.float64)).tolist()
    return low, high


def _numbered(names: Sequence[str]) -> tuple[int, Tensor]:
    numbers = {name: k for k, name in enumerate(sorted(set(names)))}
    return len(numbers), torch.tensor([numbers[name] for name in names])
