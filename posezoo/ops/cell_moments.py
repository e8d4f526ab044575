"""Sums over the cells of weighted maps: the mean with its gradient, covariance, peak and entropy.

Weights are probabilities before they are divided by their sum: no pass is made for that.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posezoo.ops.axes import affine
from posezoo.ops.softmax_weights import LOG2_E


def mean_and_sum(
    w: Tensor,  # (B, J, h, w) or (B, J, d, h, w) weights
) -> tuple[Tensor, Tensor]:  # (B, J, n) cells, x first; (B, J, 1)
    """Mean position and sum of the weights."""
    marginals = _marginals(w)
    norm = marginals[-1].sum(-1, keepdim=True)
    return torch.stack([(m * _cells(m)).sum(-1) for m in marginals], -1).div_(norm), norm


def middle_if_empty(
    mean: Tensor,  # (B, J, n) cells
    norm: Tensor,  # (B, J, 1)
    sizes: list[int],  # n, x first
) -> Tensor:  # (B, J, n)
    """The mean, or the middle of the map where the sum is 0."""
    middle = affine(torch.ones_like(mean), [(cells - 1) / 2 for cells in sizes])
    return torch.where(norm > 0, mean, middle)


def lever(
    slope: Tensor,  # (B, J, n) gradient by the mean, divided by the sum
    mean: Tensor,  # (B, J, n) cells
    sizes: list[int],  # n, x first
) -> Tensor:  # (B, J, h, w) or (B, J, d, h, w): times the weights it is the gradient
    """Slope times (cell - mean), added over the axes, for every cell."""
    grid = torch.arange(max(sizes), dtype=mean.dtype, device=mean.device)
    arms = (grid - mean[..., None]).mul_(slope[..., None])  # of all axes in one set of calls
    total = arms[..., 0, : sizes[0]]
    for axis, cells in enumerate(sizes[1:], 1):
        total = (
            arms[..., axis, :cells].view(*mean.shape[:2], cells, *[1] * axis) + total[:, :, None]
        )
    return total


def peak_entropy_covariance(
    w: Tensor,  # (B, J, h, w) or (B, J, d, h, w) weights
    norm: Tensor,  # (B, J, 1) their sum
    mean: Tensor,  # (B, J, n) cells
    scale: list[float],  # n, units a cell
) -> Tensor:  # (B, J, 2 + n * n)
    """Greatest p, entropy in nats, and covariance in square units, row by row."""
    empty = norm[(...,) + (None,) * (w.ndim - 3)] <= 0  # `sum` without a positive cell: all alike
    w = torch.where(empty, 1.0, w)
    marginals = _marginals(w)
    norm = marginals[-1].sum(-1)
    flat = w.flatten(2)
    entropy = norm.log() - (flat.clamp(min=torch.finfo(w.dtype).tiny).log2_().mul_(flat)).sum(
        -1
    ) / (norm * LOG2_E)
    n = len(marginals)
    arms = [(_cells(m) - mean[..., a, None]) * scale[a] for a, m in enumerate(marginals)]
    cov = [[(m * arm * arm).sum(-1)] * n for m, arm in zip(marginals, arms, strict=True)]
    for a in range(n):
        for b in range(a + 1, n):
            plane = w if n == 2 else w.sum(w.ndim - 1 - (3 - a - b))  # (B, J, axis b, axis a)
            along = (plane * arms[a][..., None, :]).sum(-1)
            cov[a][b] = cov[b][a] = (along * arms[b]).sum(-1)
    found = torch.stack([flat.amax(-1), *[c for row in cov for c in row]], -1) / norm[..., None]
    return torch.cat([found[..., :1], entropy[..., None], found[..., 1:]], -1)


def _marginals(p: Tensor) -> list[Tensor]:
    """Sums over all axes but one, x first."""
    if p.ndim == 5:
        plane = p.sum(2)
        return [plane.sum(-2), plane.sum(-1), p.sum((-2, -1))]
    return [p.sum(-2), p.sum(-1)]


def _cells(marginal: Tensor) -> Tensor:
    return torch.arange(marginal.shape[-1], dtype=marginal.dtype, device=marginal.device)
