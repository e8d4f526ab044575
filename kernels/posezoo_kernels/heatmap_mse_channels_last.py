"""Heatmap MSE of maps whose joints lie side by side, as a channels-last network leaves them.

A tile is one row of BW cells of all BJ joints, read where it lies; the factor g(x) of all joints
stays in registers while the rows go by. Mathematics as in heatmap_mse.py.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels.gaussian_heatmaps import factor
from posezoo_kernels.launch import launch


def forward(
    arguments: tuple[Any, ...],  # maps channels last, joints, weight
    numbers: tuple[float, ...],
    *,
    quantised: bool,
) -> Tensor:  # (B, J)
    """Launch `_forward`; programs share an image by rows, torch adds their sums."""
    maps, joints, weight = arguments
    batch, count, height, width = maps.shape
    parts = min(height, triton.cdiv(1056, batch))
    part = triton.cdiv(height, parts)
    parts = triton.cdiv(height, part)
    sums = maps.new_empty((batch, parts, count), dtype=torch.float32)
    launch(_forward, (batch, parts), maps)(
        maps, joints, weight, sums, *numbers,
        H=height, W=width, J=count, QUANTISED=quantised, PART=part,
        BW=triton.next_power_of_2(width), BJ=triton.next_power_of_2(count),
    )  # fmt: skip
    return sums.sum(1)


def backward(
    arguments: tuple[Any, ...],  # maps channels last, joints, slope
    numbers: tuple[float, ...],
    *,
    quantised: bool,
) -> Tensor:  # like maps, channels last
    """Launch `_backward`, one row per program."""
    maps, joints, slope = arguments
    batch, count, height, width = maps.shape
    change = torch.empty_like(maps, memory_format=torch.channels_last)
    launch(_backward, (batch, height), maps)(
        maps, joints, slope, change, *numbers,
        H=height, W=width, J=count, QUANTISED=quantised,
        BW=triton.next_power_of_2(width), BJ=triton.next_power_of_2(count),
    )  # fmt: skip
    return change


@triton.jit
def _forward(
    maps, joints, weight, sums, falloff, cut, peak,
    H: tl.constexpr, W: tl.constexpr, J: tl.constexpr, QUANTISED: tl.constexpr,
    PART: tl.constexpr, BW: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    j = tl.arange(0, BJ)
    real = j < J
    columns = tl.arange(0, BW)
    w = tl.load(weight + image * J + j, mask=real, other=0.0)
    used = w != 0
    joint = joints + (image * J + j) * 2
    joint_x = tl.load(joint, mask=real, other=-9.0)[None, :]
    joint_y = tl.load(joint + 1, mask=real, other=-9.0)
    gx = factor(columns.to(tl.float32)[:, None], joint_x, falloff, cut, W, QUANTISED) * peak
    total = tl.zeros((BW, BJ), tl.float32)
    for step in range(PART):
        row = part * PART + step
        gy = factor(row.to(tl.float32), joint_y, falloff, cut, H, QUANTISED)
        mask = (columns < W)[:, None] & used[None, :] & (row < H)
        at = maps + image * (H * W * J) + (row * W + columns)[:, None] * J + j[None, :]
        v = tl.load(at, mask=mask, other=0.0).to(tl.float32)
        difference = tl.where(mask, v - gx * gy[None, :], 0.0)
        total += difference * difference
    to = sums + (image * tl.num_programs(1) + part) * J + j
    tl.store(to, tl.sum(total, 0) * (w / (H * W)), mask=real)


@triton.jit
def _backward(
    maps, joints, slope, change, falloff, cut, peak,
    H: tl.constexpr, W: tl.constexpr, J: tl.constexpr, QUANTISED: tl.constexpr,
    BW: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    row = tl.program_id(1)
    j = tl.arange(0, BJ)
    real = j < J
    columns = tl.arange(0, BW)
    s = tl.load(slope + image * J + j, mask=real, other=0.0)
    used = s != 0
    joint = joints + (image * J + j) * 2
    joint_x = tl.load(joint, mask=real, other=-9.0)[None, :]
    joint_y = tl.load(joint + 1, mask=real, other=-9.0)
    gx = factor(columns.to(tl.float32)[:, None], joint_x, falloff, cut, W, QUANTISED) * peak
    gy = factor(row.to(tl.float32), joint_y, falloff, cut, H, QUANTISED)
    at = image * (H * W * J) + (row * W + columns)[:, None] * J + j[None, :]
    inside = (columns < W)[:, None]
    v = tl.load(maps + at, mask=inside & used[None, :], other=0.0).to(tl.float32)
    difference = tl.where(used[None, :], (v - gx * gy[None, :]) * s[None, :], 0.0)
    tl.store(change + at, difference, mask=inside & real[None, :])
