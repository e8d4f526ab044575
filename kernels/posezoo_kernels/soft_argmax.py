"""Soft-argmax in one read of the maps, online as in flash attention, and its backward in one more.

Forward, per map: m = max of logits, s = sum e^(l - m), and sums of e^(l - m) times the row, the
plane and (for moments) their products; sums already made are rescaled when m grows.
Backward: d l = p * (a_x (x - mean_x) + a_y (y - mean_y) + a_z (z - mean_z)), p = e^(l - m) / s,
a = gradient * scale; d v = beta * d l, and d beta_j = sum of v * d l over the maps of joint j.
With few maps the rows of each are spread over several programs and `_combine` adds their sums.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels import soft_argmax_channels_last as channels_last
from posezoo_kernels.launch import cut as cut_map
from posezoo_kernels.launch import inside, is_channels_last, launch
from posezoo_kernels.soft_argmax_sums import LOG2_E, SUMS, combine, finish


def forward(
    maps: Tensor,  # (B, J, h, w) or (B, J, d, h, w)
    learnt: Tensor | None,  # (J,)
    *,
    beta: float,
    softmax: bool,
    moments: bool,
    scale: list[float],
    offset: list[float],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Launch `_forward`, and `_combine` where one program per map is too few.

    Returns:
        Positions (B, J, n); mean in cells, m and s (B, J, n + 2); nothing, the place of the torch
        path's p; peak, entropy and covariance (B, J, 2 + n * n) or nothing.
    """
    size, lead = tuple(maps.shape[2:]), tuple(maps.shape[:2])
    dims, count = len(size), lead[0] * lead[1]
    place, saved, stats = (
        maps.new_empty((*lead, wide), dtype=torch.float32)
        for wide in (dims, dims + 2, 2 + dims * dims if moments else 0)
    )
    outputs = place, saved, maps.new_empty(0), stats
    if maps.numel() == 0:
        return outputs
    shared: dict[str, Any] = {"SOFTMAX": softmax, "MOMENTS": moments, "H": size[-2], "W": size[-1]}
    ends = (*_three(scale), *_three(offset))
    if is_channels_last(maps):
        partial = channels_last.partial_sums(maps, learnt, beta, shared)
        parts = partial.shape[1]
    else:
        c = cut_map(count, size, cells=512 if moments else 1024)
        parts = c.parts
        partial = maps.new_empty((count, parts, 16) if parts > 1 else (0,), dtype=torch.float32)
        launch(_forward, (count, parts), maps, num_warps=c.warps)(
            maps.contiguous(), _learnt(learnt, maps), partial, place, saved, stats, beta, *ends,
            maps.shape[1],
            LEARNT=learnt is not None, ROWS=c.rows, DIMS=dims, ALONE=parts == 1, PART=c.part_rows,
            BR=c.tile_rows, BW=c.tile_columns, EVEN=c.even, **shared,
        )  # fmt: skip
        if parts == 1:
            return outputs
    launch(combine, (count,), maps, num_warps=1)(
        partial, place, saved, stats, *ends, parts,
        ROWS=c.rows if not is_channels_last(maps) else size[-2], DIMS=dims,
        BS=triton.next_power_of_2(parts), **shared,
    )  # fmt: skip
    return outputs


def backward(
    grad: Tensor,  # (B, J, n)
    maps: Tensor,  # (B, J, h, w) or (B, J, d, h, w)
    learnt: Tensor | None,  # (J,)
    saved: Tensor,  # (B, J, n + 2)
    *,
    beta: float,
    softmax: bool,
    scale: list[float],
) -> tuple[Tensor, Tensor]:  # like maps; (B, J), or nothing if no temperature is learnt
    """Launch `_backward`."""
    size, count = tuple(maps.shape[2:]), maps.shape[0] * maps.shape[1]
    last = is_channels_last(maps)
    change = torch.empty_like(
        maps, memory_format=torch.channels_last if last else torch.contiguous_format
    )
    wide = maps.shape[:2] if learnt is not None else (0,)
    if maps.numel() == 0:
        return change, maps.new_zeros(wide, dtype=torch.float32)
    arguments = (maps, _learnt(learnt, maps), saved, grad.float().contiguous(), change)
    shared: dict[str, Any] = {"SOFTMAX": softmax, "LEARNT": learnt is not None}
    shared |= {"H": size[-2], "W": size[-1]}
    if last:
        sums = channels_last.backward(arguments, beta, scale, shared)
    else:
        c = cut_map(count, size, cells=2048, warps=2, one_tile=True)
        sums = maps.new_empty((*wide, c.parts), dtype=torch.float32)
        launch(_backward, (count, c.parts), maps, num_warps=c.warps)(
            maps.contiguous(), *arguments[1:], sums, beta, *_three(scale), maps.shape[1],
            ROWS=c.rows, DIMS=len(size), BR=c.tile_rows, BW=c.tile_columns, EVEN=c.even, **shared,
        )  # fmt: skip
    return change, sums.sum(-1)


def _three(values: list[float]) -> list[float]:
    return [*values, 0.0][:3]


def _learnt(learnt: Tensor | None, like: Tensor) -> Tensor:
    """A pointer is always passed; without a temperature it is not read."""
    return like if learnt is None else learnt.float().contiguous()


@triton.jit
def _forward(
    maps, learnt, partial, place, saved, stats, beta,
    scale_x, scale_y, scale_z, offset_x, offset_y, offset_z, J,
    SOFTMAX: tl.constexpr, MOMENTS: tl.constexpr, LEARNT: tl.constexpr, H: tl.constexpr,
    W: tl.constexpr, ROWS: tl.constexpr, DIMS: tl.constexpr, ALONE: tl.constexpr,
    PART: tl.constexpr, BR: tl.constexpr, BW: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    D: tl.constexpr = ROWS // H
    b = beta * LOG2_E
    if LEARNT:
        b = b * tl.load(learnt + n % J)
    columns = tl.arange(0, BW)
    x = (columns.to(tl.float32) - (W - 1) * 0.5)[None, :]
    zero = tl.zeros((BR, BW), tl.float32)
    s, s_y, s_z, s_e = zero, zero, zero, zero
    s_yy, s_yz, s_zz = zero, zero, zero
    m = -3.0e38
    for start in range(0, PART, BR):
        rows = part * PART + start + tl.arange(0, BR)
        mask = inside(rows, columns, ROWS, W, EVEN)
        at = maps + n * (ROWS * W) + rows[:, None] * W + columns[None, :]
        v = tl.load(at, mask=mask, other=0.0).to(tl.float32)
        if SOFTMAX:
            v = tl.where(mask, v * b, float("-inf"))
            top = tl.maximum(m, tl.max(tl.max(v, 1), 0))
            shrink = tl.exp2(m - top)
            m = top
            w = tl.exp2(v - m)
            s, s_y, s_z = s * shrink, s_y * shrink, s_z * shrink
            if MOMENTS:
                s_e, s_yy, s_yz, s_zz = (
                    s_e * shrink, s_yy * shrink, s_yz * shrink, s_zz * shrink
                )  # fmt: skip
                s_e += w * tl.maximum(v, -3.0e38)  # not 0 * inf
        else:
            w = tl.maximum(v, 0.0)
            if MOMENTS:
                m = tl.maximum(m, tl.max(tl.max(w, 1), 0))
                s_e += w * tl.log(tl.maximum(w, 1e-37))
        y = ((rows % H).to(tl.float32) - (H - 1) * 0.5)[:, None]
        s += w
        s_y += w * y
        if MOMENTS:
            s_yy += w * y * y
        if DIMS == 3:
            z = ((rows // H).to(tl.float32) - (D - 1) * 0.5)[:, None]
            s_z += w * z
            if MOMENTS:
                s_yz += w * y * z
                s_zz += w * z * z
    t, t_y, t_x = tl.sum(tl.sum(s, 1), 0), tl.sum(tl.sum(s_y, 1), 0), tl.sum(tl.sum(s * x, 1), 0)
    nil = t * 0.0
    t_z, t_e, t_xx, t_xy, t_yy, t_xz, t_yz, t_zz = nil, nil, nil, nil, nil, nil, nil, nil
    if DIMS == 3:
        t_z = tl.sum(tl.sum(s_z, 1), 0)
    if MOMENTS:
        t_e, t_yy = tl.sum(tl.sum(s_e, 1), 0), tl.sum(tl.sum(s_yy, 1), 0)
        t_xx, t_xy = tl.sum(tl.sum(s * x * x, 1), 0), tl.sum(tl.sum(s_y * x, 1), 0)
        if DIMS == 3:
            t_xz, t_yz = tl.sum(tl.sum(s_z * x, 1), 0), tl.sum(tl.sum(s_yz, 1), 0)
            t_zz = tl.sum(tl.sum(s_zz, 1), 0)
    if ALONE:
        finish(
            place, saved, stats, n, m * 1.0, t, t_e, t_x, t_y, t_z,
            t_xx, t_xy, t_yy, t_xz, t_yz, t_zz,
            scale_x, scale_y, scale_z, offset_x, offset_y, offset_z,
            SOFTMAX, MOMENTS, H, W, ROWS, DIMS,
        )  # fmt: skip
    else:
        to = partial + (n * tl.num_programs(1) + part) * SUMS
        tl.store(to, m * 1.0)
        tl.store(to + 1, t)
        tl.store(to + 2, t_e)
        tl.store(to + 3, t_x)
        tl.store(to + 4, t_y)
        tl.store(to + 5, t_z)
        if MOMENTS:
            tl.store(to + 6, t_xx)
            tl.store(to + 7, t_xy)
            tl.store(to + 8, t_yy)
            tl.store(to + 9, t_xz)
            tl.store(to + 10, t_yz)
            tl.store(to + 11, t_zz)


@triton.jit
def _backward(
    maps, learnt, saved, grad, change, sums, beta, scale_x, scale_y, scale_z, J,
    SOFTMAX: tl.constexpr, LEARNT: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    ROWS: tl.constexpr, DIMS: tl.constexpr, BR: tl.constexpr, BW: tl.constexpr,
    EVEN: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * BR + tl.arange(0, BR)
    columns = tl.arange(0, BW)
    mask = inside(rows, columns, ROWS, W, EVEN)
    at = n * (ROWS * W) + rows[:, None] * W + columns[None, :]
    v = tl.load(maps + at, mask=mask, other=0.0).to(tl.float32)
    mean, g = saved + n * (DIMS + 2), grad + n * DIMS
    m, s = tl.load(mean + DIMS), tl.load(mean + DIMS + 1)
    arm_x = (columns.to(tl.float32) - tl.load(mean)) * (tl.load(g) * scale_x)
    arm_y = ((rows % H).to(tl.float32) - tl.load(mean + 1)) * (tl.load(g + 1) * scale_y)
    if DIMS == 3:
        arm_y += ((rows // H).to(tl.float32) - tl.load(mean + 2)) * (tl.load(g + 2) * scale_z)
    arm = arm_y[:, None] + arm_x[None, :]
    if SOFTMAX:
        b = beta * 1.0
        if LEARNT:
            b = beta * tl.load(learnt + n % J)
        slope = tl.exp2(v * (b * LOG2_E) - m) * (arm * (1.0 / s))
        if LEARNT:
            total = tl.sum(tl.sum(tl.where(mask, slope * v, 0.0), 1), 0) * beta
            tl.store(sums + n * tl.num_programs(1) + tl.program_id(1), total)
        slope *= b
    else:
        slope = tl.where(v > 0, arm, 0.0) * (1.0 / tl.where(s > 0, s, 1.0))
    tl.store(change + at, slope, mask=mask)
