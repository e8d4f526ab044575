"""The moments of a heatmap: mean, covariance, peak and entropy in one read.

The mean is `soft_argmax`. The others say how far to trust it: a lifter may take them as confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import Tensor

from posezoo.ops.soft_argmax import expectation


class Moments(NamedTuple):
    """Of each map, n = 2 or 3 axes, x first; float32 (float64 for float64 maps)."""

    mean: Tensor  # (B, J, n) in the unit of scale and offset; differentiable
    covariance: Tensor  # (B, J, n, n) in the square of that unit; no gradient
    peak: Tensor  # (B, J) greatest probability of a cell; no gradient
    entropy: Tensor  # (B, J) nats, 0 for one cell to log(cells) for a flat map; no gradient


def moments(
    maps: Tensor,  # (B, J, h, w) or (B, J, d, h, w)
    *,
    inverse_temperature: float | Tensor | None = None,
    normalize: Literal["softmax", "sum"] = "softmax",
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
) -> Moments:
    """Mean, covariance, peak and entropy of the probabilities that `soft_argmax` makes of a map.

    Arguments and errors as there. The kernel sums squares of cells from the middle of the map, so
    a variance is good to about 3e-4 cells^2 at 64x64.

    Example:
        >>> coin = torch.tensor([[[[9.0, 0.0, 9.0]]]])  # two cells alike, two apart
        >>> found = moments(coin, inverse_temperature=10.0)
        >>> found.mean.tolist(), found.peak.tolist()
        ([[[1.0, 0.0]]], [[0.5]])
        >>> found.entropy  # nats: log 2
        tensor([[0.6931]])
    """
    mean, stats = expectation(maps, inverse_temperature, normalize, scale, offset, moments=True)
    n = mean.shape[-1]
    peak, entropy, covariance = stats.split([1, 1, n * n], -1)
    return Moments(mean, covariance.unflatten(-1, (n, n)), peak.squeeze(-1), entropy.squeeze(-1))
