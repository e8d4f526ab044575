"""Gaussian heatmaps around joints: the training target of a heatmap head.

On a GPU the heatmap loss does not need them (`heatmap_mse` never stores its target); they are for
figures, for distillation and for those who want targets. The Gaussian is a product of one factor
per axis, so only h + w exponentials are taken per joint: torch's exp over a whole grid is 30 to 90
times slower on a CPU, because most of its arguments underflow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from posezoo.ops.dispatch import define, use_triton

Support = Literal["full", "3sigma"]
Centres = Literal["unbiased", "quantised"]

_TAIL = -62.0  # 2^-62 is 2e-19: below it, products of two factors would be denormal and slow


def gaussian_heatmaps(
    joints_cells: Tensor,  # (B, J, 2) x, y or (B, J, 3) x, y, z in cells, centres at integers
    size: Sequence[int],  # h, w or d, h, w in cells
    *,
    sigma_cells: float,
    peak: float = 1.0,
    support: Support = "full",
    centres: Centres = "unbiased",
    dtype: torch.dtype = torch.float32,
) -> Tensor:  # (B, J, *size)
    """Render one Gaussian per joint.

    The cell nearest to the joint always holds `peak`, also where the Gaussian is much narrower
    than a cell: the analytic value is divided by its value there. (mmpose's unbiased targets are
    not: theirs peak between 0.95 and 1 at sigma 2.2.) A joint is on the map if its nearest cell
    is; one off the map gives zeros. Not differentiable.

    Args:
        joints_cells: joint positions; NaN counts as off the map.
        size: of the maps.
        sigma_cells: standard deviation.
        peak: the greatest value of a map.
        support: `3sigma` cuts each axis at 3 sigma from the centre, as the square patches of
            the MSRA and UDP codecs do; the nearest cell stays.
        centres: `quantised` rounds the joint to its nearest cell first (halves up), as the MSRA
            codec does. The unbiased codec, DARK and UDP use the true position.
        dtype: of the maps.

    Example:
        >>> joints = torch.tensor([[[1.0, 0.0]]])  # the second of three cells
        >>> gaussian_heatmaps(joints, (1, 3), sigma_cells=1.0)
        tensor([[[[0.6065, 1.0000, 0.6065]]]])
    """
    check(joints_cells, size, sigma_cells)
    return _gaussian_heatmaps(
        joints_cells.detach(),
        list(size),
        sigma=float(sigma_cells),
        peak=float(peak),
        cut=support == "3sigma",
        quantised=centres == "quantised",
        dtype=dtype,
    )


@define("gaussian_heatmaps")
def _gaussian_heatmaps(
    joints: Tensor,
    size: list[int],
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
    dtype: torch.dtype,
) -> Tensor:
    if use_triton(joints):
        from posezoo_kernels.gaussian_heatmaps import render  # noqa: PLC0415 - only where used

        return render(
            joints, size, sigma=sigma, peak=peak, cut=cut, quantised=quantised, dtype=dtype
        )
    maps, *others = factors(
        joints, size, sigma=sigma, peak=peak, cut=cut, quantised=quantised, dtype=dtype
    )
    for factor in others:
        maps = factor.reshape(*factor.shape, *[1] * (maps.ndim - 2)) * maps[:, :, None]
    return maps


def factors(
    joints: Tensor,  # (B, J, n) x first, cells
    size: Sequence[int],  # n sizes, x last
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
    dtype: torch.dtype,
) -> list[Tensor]:  # n of (B, J, size of that axis), x first
    """The Gaussian along each axis, 1 (x: `peak`) at the nearest cell; zeros if that is off it."""
    joints = joints if joints.dtype == torch.float64 else joints.float()
    joints = joints.nan_to_num(nan=-1.0, posinf=-1.0, neginf=-1.0)  # infinity less itself is NaN
    limits = list(reversed(size))
    length = max(limits)  # one set of calls for all axes: on a CPU their number is what costs
    nearest = (joints + 0.5).floor_()
    one_cell = quantised or (cut and sigma < 1 / 6)  # no cell but the nearest within 3 sigma
    centre = nearest if one_cell else joints
    square = 0.5 / (sigma**2 * math.log(2))  # on a CPU torch.exp takes three times exp2's time
    grid = torch.arange(length, dtype=joints.dtype, device=joints.device)
    factor = (grid - centre[..., None]).square_().mul_(-square)
    if cut:
        torch.threshold_(factor, -9 * sigma**2 * square * (1 + 1e-6), 2 * _TAIL)
    if not one_cell:
        factor += (nearest - centre).square_().mul_(square)[..., None]
    factor.clamp_(min=_TAIL).exp2_()
    if cut:
        torch.threshold_(factor, 1.1 * 2**_TAIL, 0.0)
    height = _inside(nearest, limits)
    if peak != 1:
        height[..., 0] *= peak
    factor *= height[..., None]
    factor = factor.to(dtype)
    # A view of memory, so that Inductor has to store the factors. It leaves out short chains of
    # calls, and would take the exponential again for every cell of the map.
    strides = factor.stride()
    return [
        factor.as_strided((*joints.shape[:2], cells), (*strides[:2], 1), axis * length)
        for axis, cells in enumerate(limits)
    ]


def on_map(
    joints: Tensor,  # (B, J, n) x first, cells
    size: Sequence[int],  # n sizes, x last
) -> Tensor:  # (B, J) bool
    """True where the cell nearest to the joint is on the map; False for NaN."""
    return _inside((joints + 0.5).floor(), list(reversed(size))).bool().all(-1)


def _inside(nearest: Tensor, limits: list[int]) -> Tensor:
    """1 where an axis has this cell, else 0. A tensor of limits would make a GPU wait for it."""
    if min(limits) == max(limits):
        return nearest.clamp(0, limits[0] - 1).eq_(nearest)
    axes = zip(nearest.unbind(-1), limits, strict=True)
    return torch.stack([cell.clamp(0, limit - 1).eq_(cell) for cell, limit in axes], -1)


def check(joints_cells: Tensor, size: Sequence[int], sigma_cells: float) -> None:
    """Raise ValueError unless the joints have one coordinate per axis and sigma is positive."""
    if joints_cells.ndim != 3 or joints_cells.shape[-1] != len(size) or len(size) not in (2, 3):
        raise ValueError(
            f"joints_cells: expected (B, J, 2) for maps (h, w) or (B, J, 3) for (d, h, w), "
            f"got {tuple(joints_cells.shape)} for maps of size {tuple(size)}"
        )
    if not (sigma_cells > 0 and math.isfinite(sigma_cells)):
        raise ValueError(f"sigma_cells: expected a positive number, got {sigma_cells!r}")
