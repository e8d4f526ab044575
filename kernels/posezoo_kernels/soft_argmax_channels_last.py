"""Soft-argmax of maps whose joints lie side by side, as a channels-last network leaves them.

A tile is BP cells of all BJ joints (BJ the power of two from J), read where it lies: softmax over
such maps costs the textbook formulation a hidden copy. Mathematics as in soft_argmax.py, with one
m per joint.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels.launch import cut_cells, launch
from posezoo_kernels.soft_argmax_sums import LOG2_E, SUMS


def partial_sums(
    maps: Tensor,  # (B, J, h, w) channels last
    learnt: Tensor,  # (J,), or anything
    beta: float,
    shared: dict[str, Any],
) -> Tensor:  # (B * J, parts, SUMS)
    """Launch `_forward`; the caller combines the parts."""
    batch, joints = maps.shape[:2]
    bj, bp, parts, part = cut_cells(maps, 512 if shared["MOMENTS"] else 1024)
    partial = maps.new_empty((batch * joints, parts, 16), dtype=torch.float32)
    launch(_forward, (batch, parts), maps)(
        maps, maps if learnt is None else learnt.float().contiguous(), partial, beta,
        J=joints, LEARNT=learnt is not None, PART=part, BP=bp, BJ=bj, **shared,
    )  # fmt: skip
    return partial


def backward(
    arguments: tuple[Tensor, ...],
    beta: float,
    scale: list[float],
    shared: dict[str, Any],
) -> Tensor:  # (B, J, parts), or nothing if no temperature is learnt
    """Launch `_backward` into the last of the arguments."""
    maps = arguments[0]
    batch, joints = maps.shape[:2]
    bj, bp, parts, _ = cut_cells(maps, 1024, one_tile=True)
    wide = (batch, joints) if shared["LEARNT"] else (0,)
    sums = maps.new_empty((*wide, parts), dtype=torch.float32)
    launch(_backward, (batch, parts), maps)(
        *arguments, sums, beta, *scale, J=joints, BP=bp, BJ=bj, **shared
    )
    return sums


@triton.jit
def _forward(
    maps, learnt, partial, beta,
    J: tl.constexpr, SOFTMAX: tl.constexpr, MOMENTS: tl.constexpr, LEARNT: tl.constexpr,
    H: tl.constexpr, W: tl.constexpr, PART: tl.constexpr, BP: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    joints = tl.arange(0, BJ)
    real = joints < J
    b = tl.zeros((BJ,), tl.float32) + beta * LOG2_E
    if LEARNT:
        b = b * tl.load(learnt + joints, mask=real, other=0.0)
    zero = tl.zeros((BP, BJ), tl.float32)
    s, s_x, s_y, s_e, s_xx, s_xy, s_yy = zero, zero, zero, zero, zero, zero, zero
    m = tl.zeros((BJ,), tl.float32) - 3.0e38
    for start in range(0, PART, BP):
        cells = part * PART + start + tl.arange(0, BP)
        mask = (cells < H * W)[:, None] & real[None, :]
        at = maps + image * (H * W * J) + cells[:, None] * J + joints[None, :]
        v = tl.load(at, mask=mask, other=0.0).to(tl.float32)
        x = ((cells % W).to(tl.float32) - (W - 1) * 0.5)[:, None]
        y = ((cells // W).to(tl.float32) - (H - 1) * 0.5)[:, None]
        if SOFTMAX:
            v = tl.where(mask, v * b[None, :], float("-inf"))
            top = tl.maximum(m, tl.max(v, 0))
            shrink = tl.exp2(m - top)[None, :]
            m = top
            w = tl.exp2(v - m[None, :])
            s, s_x, s_y = s * shrink, s_x * shrink, s_y * shrink
            if MOMENTS:
                s_e, s_xx, s_xy, s_yy = (
                    s_e * shrink, s_xx * shrink, s_xy * shrink, s_yy * shrink
                )  # fmt: skip
                s_e += w * tl.maximum(v, -3.0e38)  # not 0 * inf
        else:
            w = tl.maximum(v, 0.0)
            if MOMENTS:
                m = tl.maximum(m, tl.max(w, 0))
                s_e += w * tl.log(tl.maximum(w, 1e-37))
        s += w
        s_x += w * x
        s_y += w * y
        if MOMENTS:
            s_xx += w * x * x
            s_xy += w * x * y
            s_yy += w * y * y
    to = partial + ((image * J + joints) * tl.num_programs(1) + part) * SUMS
    tl.store(to, m, mask=real)
    tl.store(to + 1, tl.sum(s, 0), mask=real)
    tl.store(to + 2, tl.sum(s_e, 0), mask=real)
    tl.store(to + 3, tl.sum(s_x, 0), mask=real)
    tl.store(to + 4, tl.sum(s_y, 0), mask=real)
    tl.store(to + 5, tl.zeros((BJ,), tl.float32), mask=real)
    if MOMENTS:
        tl.store(to + 6, tl.sum(s_xx, 0), mask=real)
        tl.store(to + 7, tl.sum(s_xy, 0), mask=real)
        tl.store(to + 8, tl.sum(s_yy, 0), mask=real)
        tl.store(to + 9, tl.zeros((BJ,), tl.float32), mask=real)
        tl.store(to + 10, tl.zeros((BJ,), tl.float32), mask=real)
        tl.store(to + 11, tl.zeros((BJ,), tl.float32), mask=real)


@triton.jit
def _backward(
    maps, learnt, saved, grad, change, sums, beta, scale_x, scale_y,
    J: tl.constexpr, SOFTMAX: tl.constexpr, LEARNT: tl.constexpr,
    H: tl.constexpr, W: tl.constexpr, BP: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    cells = tl.program_id(1) * BP + tl.arange(0, BP)
    joints = tl.arange(0, BJ)
    real = joints < J
    mask = (cells < H * W)[:, None] & real[None, :]
    at = image * (H * W * J) + cells[:, None] * J + joints[None, :]
    v = tl.load(maps + at, mask=mask, other=0.0).to(tl.float32)
    n = image * J + joints
    x = (cells % W).to(tl.float32)[:, None]
    y = (cells // W).to(tl.float32)[:, None]
    mean_x = tl.load(saved + n * 4, mask=real, other=0.0)
    mean_y = tl.load(saved + n * 4 + 1, mask=real, other=0.0)
    m = tl.load(saved + n * 4 + 2, mask=real, other=0.0)
    s = tl.load(saved + n * 4 + 3, mask=real, other=1.0)
    slope_x = tl.load(grad + n * 2, mask=real, other=0.0) * scale_x
    slope_y = tl.load(grad + n * 2 + 1, mask=real, other=0.0) * scale_y
    arm = (x - mean_x[None, :]) * slope_x[None, :] + (y - mean_y[None, :]) * slope_y[None, :]
    if SOFTMAX:
        b = tl.zeros((BJ,), tl.float32) + beta
        if LEARNT:
            b = b * tl.load(learnt + joints, mask=real, other=0.0)
        slope = tl.exp2(v * (b * LOG2_E)[None, :] - m[None, :]) * (1.0 / s)[None, :] * arm
        if LEARNT:
            total = tl.sum(tl.where(mask, slope * v, 0.0), 0) * beta
            tl.store(sums + n * tl.num_programs(1) + tl.program_id(1), total, mask=real)
        slope *= b[None, :]
    else:
        slope = tl.where(v > 0, arm, 0.0) * (1.0 / tl.where(s > 0, s, 1.0))[None, :]
    tl.store(change + at, slope, mask=mask)
