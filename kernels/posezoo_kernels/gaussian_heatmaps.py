"""Gaussians written in one pass.

G = peak * g(x) g(y) g(z), g(x) = exp(((n - c)^2 - (x - c)^2) / (2 sigma^2)), n the cell nearest c:
per tile BR + BW exponentials, not BR * BW, which keeps 16-bit stores bound by memory.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels.launch import cut as cut_map
from posezoo_kernels.launch import inside, launch

LOG_2 = tl.constexpr(0.6931471805599453)


def render(
    joints: Tensor,  # (B, J, n) cells
    size: list[int],
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
    dtype: torch.dtype,
) -> Tensor:  # (B, J, *size)
    """Launch `_render`."""
    maps = joints.new_empty((*joints.shape[:2], *size), dtype=dtype)
    if maps.numel() == 0:
        return maps
    count = joints.shape[0] * joints.shape[1]
    c = cut_map(count, tuple(size), cells=2048, warps=2, one_tile=True)
    launch(_render, (count, c.parts), maps, num_warps=c.warps)(
        maps,
        joints.float().contiguous(),
        *bounds(sigma, cut),
        peak,
        H=size[-2],
        W=size[-1],
        ROWS=c.rows,
        DIMS=len(size),
        QUANTISED=quantised,
        BR=c.tile_rows,
        BW=c.tile_columns,
        EVEN=c.even,
    )
    return maps


def bounds(sigma: float, cut: bool) -> tuple[float, float]:
    """The exponent's factor, and the square distance beyond which the Gaussian is cut to 0."""
    return -0.5 / sigma**2, 9 * sigma**2 if cut else 3.0e38


@triton.jit
def log_factor(cells, centre, falloff):
    """Logarithm of the Gaussian along one axis, 0 at the nearest cell, at least -43."""
    nearest = tl.floor(centre + 0.5)
    least = (nearest - centre) * (nearest - centre)
    return tl.maximum(((cells - centre) * (cells - centre) - least) * falloff, -43.0)


@triton.jit
def factor(cells, centre, falloff, cut, SIZE: tl.constexpr, QUANTISED: tl.constexpr):
    """The factor along one axis, 0 if the nearest cell is off it (also for NaN)."""
    nearest = tl.floor(centre + 0.5)
    if QUANTISED:
        centre = nearest
    least = (nearest - centre) * (nearest - centre)
    distance = (cells - centre) * (cells - centre)
    value = tl.exp(tl.maximum((distance - least) * falloff, -43.0))
    value = tl.where(distance <= tl.maximum(cut, least), value, 0.0)
    value = tl.where(nearest >= 0, value, 0.0)
    return tl.where(nearest < SIZE, value, 0.0)


@triton.jit
def row_factor(
    rows, joint, falloff, cut,
    H: tl.constexpr, ROWS: tl.constexpr, DIMS: tl.constexpr, QUANTISED: tl.constexpr,
):  # fmt: skip
    """The factors of rows, g(y) g(z), `joint` pointing at (x, y[, z])."""
    y = (rows % H).to(tl.float32)
    value = factor(y, tl.load(joint + 1), falloff, cut, H, QUANTISED)
    if DIMS == 3:
        z = (rows // H).to(tl.float32)
        value *= factor(z, tl.load(joint + 2), falloff, cut, ROWS // H, QUANTISED)
    return value


@triton.jit
def _render(
    maps, joints, falloff, cut, peak,
    H: tl.constexpr, W: tl.constexpr, ROWS: tl.constexpr, DIMS: tl.constexpr,
    QUANTISED: tl.constexpr, BR: tl.constexpr, BW: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * BR + tl.arange(0, BR)
    columns = tl.arange(0, BW)
    joint = joints + n * DIMS
    gx = factor(columns.to(tl.float32), tl.load(joint), falloff, cut, W, QUANTISED)
    gy = row_factor(rows, joint, falloff, cut, H, ROWS, DIMS, QUANTISED) * peak
    at = maps + n * (ROWS * W) + rows[:, None] * W + columns[None, :]
    tl.store(at, gy[:, None] * gx[None, :], mask=inside(rows, columns, ROWS, W, EVEN))
