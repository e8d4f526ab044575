"""Mean squared error against Gaussians that are computed in registers.

loss = weight / cells * sum (v - G)^2,   d loss / d v = 2 weight / cells * (v - G).
Forward reads the maps once; backward reads them once and writes the gradient once.
A joint of weight 0 is not read at all.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels import heatmap_mse_channels_last as channels_last
from posezoo_kernels.gaussian_heatmaps import bounds, factor, row_factor
from posezoo_kernels.launch import cut as cut_map
from posezoo_kernels.launch import inside, is_channels_last, launch


def forward(
    maps: Tensor,  # (B, J, ...)
    joints: Tensor,  # (B, J, n) cells
    weight: Tensor,  # (B, J)
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
) -> Tensor:  # (B, J)
    """Launch `_forward`."""
    size, count = tuple(maps.shape[2:]), weight.numel()
    if maps.numel() == 0:
        return weight.new_zeros(weight.shape, dtype=torch.float32)
    arguments = joints.float().contiguous(), weight.float().contiguous()
    numbers = *bounds(sigma, cut), peak
    if is_channels_last(maps):
        return channels_last.forward((maps, *arguments), numbers, quantised=quantised)
    c = cut_map(count, size)
    sums = maps.new_empty((*weight.shape, c.parts), dtype=torch.float32)
    launch(_forward, (count, c.parts), maps, num_warps=c.warps)(
        maps.contiguous(),
        *arguments,
        sums,
        *numbers,
        H=size[-2],
        W=size[-1],
        ROWS=c.rows,
        DIMS=len(size),
        QUANTISED=quantised,
        PART=c.part_rows,
        BR=c.tile_rows,
        BW=c.tile_columns,
        EVEN=c.even,
    )
    return sums.sum(-1) if c.parts > 1 else sums.view(weight.shape)


def backward(
    grad: Tensor,  # (B, J)
    maps: Tensor,  # (B, J, ...)
    joints: Tensor,  # (B, J, n) cells
    weight: Tensor,  # (B, J)
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
) -> Tensor:  # like maps
    """Launch `_backward`."""
    size, count = tuple(maps.shape[2:]), weight.numel()
    if maps.numel() == 0:
        return torch.empty_like(maps)
    slope = (grad * weight * (2 / math.prod(size))).float().contiguous()
    arguments = joints.float().contiguous(), slope
    numbers = *bounds(sigma, cut), peak
    if is_channels_last(maps):
        return channels_last.backward((maps, *arguments), numbers, quantised=quantised)
    change = torch.empty_like(maps, memory_format=torch.contiguous_format)
    c = cut_map(count, size, cells=2048, warps=2, one_tile=True)
    launch(_backward, (count, c.parts), maps, num_warps=c.warps)(
        maps.contiguous(),
        *arguments,
        change,
        *numbers,
        H=size[-2],
        W=size[-1],
        ROWS=c.rows,
        DIMS=len(size),
        QUANTISED=quantised,
        BR=c.tile_rows,
        BW=c.tile_columns,
        EVEN=c.even,
    )
    return change


@triton.jit
def _forward(
    maps, joints, weight, sums, falloff, cut, peak,
    H: tl.constexpr, W: tl.constexpr, ROWS: tl.constexpr, DIMS: tl.constexpr,
    QUANTISED: tl.constexpr, PART: tl.constexpr, BR: tl.constexpr, BW: tl.constexpr,
    EVEN: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    to = sums + n * tl.num_programs(1) + part
    w = tl.load(weight + n)
    if w == 0:
        tl.store(to, 0.0)
    else:
        columns = tl.arange(0, BW)
        joint = joints + n * DIMS
        gx = factor(columns.to(tl.float32), tl.load(joint), falloff, cut, W, QUANTISED)
        total = tl.zeros((BR, BW), tl.float32)
        for start in range(0, PART, BR):
            rows = part * PART + start + tl.arange(0, BR)
            mask = inside(rows, columns, ROWS, W, EVEN)
            at = maps + n * (ROWS * W) + rows[:, None] * W + columns[None, :]
            v = tl.load(at, mask=mask, other=0.0).to(tl.float32)
            gy = row_factor(rows, joint, falloff, cut, H, ROWS, DIMS, QUANTISED) * peak
            difference = tl.where(mask, v - gy[:, None] * gx[None, :], 0.0)
            total += difference * difference
        tl.store(to, tl.sum(tl.sum(total, 1), 0) * (w / (ROWS * W)))


@triton.jit
def _backward(
    maps, joints, slope, change, falloff, cut, peak,
    H: tl.constexpr, W: tl.constexpr, ROWS: tl.constexpr, DIMS: tl.constexpr,
    QUANTISED: tl.constexpr, BR: tl.constexpr, BW: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * BR + tl.arange(0, BR)
    columns = tl.arange(0, BW)
    mask = inside(rows, columns, ROWS, W, EVEN)
    at = n * (ROWS * W) + rows[:, None] * W + columns[None, :]
    s = tl.load(slope + n)
    if s == 0:
        tl.store(change + at, tl.zeros((BR, BW), tl.float32), mask=mask)
    else:
        joint = joints + n * DIMS
        v = tl.load(maps + at, mask=mask, other=0.0).to(tl.float32)
        gx = factor(columns.to(tl.float32), tl.load(joint), falloff, cut, W, QUANTISED)
        gy = row_factor(rows, joint, falloff, cut, H, ROWS, DIMS, QUANTISED) * peak
        tl.store(change + at, (v - gy[:, None] * gx[None, :]) * s, mask=mask)
