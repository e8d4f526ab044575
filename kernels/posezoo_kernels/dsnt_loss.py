"""DSNT's loss in closed form: distance of the soft-argmax plus a regulariser of shape.

p = softmax(beta v), q the Gaussian at the true joint with sum 1, both kept as logarithms.
  js:       (KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2; its slope in p is log(p / m) / 2.
  kl:       KL(p || q), slope log(p / q) (+ 1, which the softmax cancels).
  variance: sum over axes of (var - sigma^2)^2.
d loss / d v = beta p (a_x (x - mean_x) + a_y (y - mean_y) + strength (R - sum p R)), R the slope.
Forward reads a map twice, the second time from the cache; backward reads once and writes once.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels import dsnt_loss_channels_last as channels_last
from posezoo_kernels.dsnt_saved import (
    JS,
    KL,
    NORM,
    OFF_X,
    OFF_Y,
    P_SUM,
    REGULARISERS,
    SAVED,
    TOP,
    TOTAL,
    VAR_X,
    VAR_Y,
    VARIANCE,
)
from posezoo_kernels.gaussian_heatmaps import LOG_2, log_factor
from posezoo_kernels.launch import cut as cut_map
from posezoo_kernels.launch import inside, is_channels_last, launch


def forward(
    maps: Tensor,  # (B, J, h, w)
    joints: Tensor,  # (B, J, 2) cells
    weight: Tensor,  # (B, J)
    *,
    beta: float,
    sigma: float,
    strength: float,
    scale: list[float],
    distance: str,
    regulariser: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Launch `_forward`: loss (B, J), what backward needs (B, J, SAVED), and nothing."""
    size = tuple(maps.shape[2:])
    loss = torch.empty_like(weight, dtype=torch.float32)
    saved = maps.new_empty((*weight.shape, SAVED.value), dtype=torch.float32)
    outputs = loss, saved, maps.new_empty(0)
    if maps.numel() == 0:
        return outputs
    arguments = joints.float().contiguous(), weight.float().contiguous(), loss, saved
    numbers = beta, -0.5 / sigma**2, sigma**2, strength, *scale
    options = _options(distance, regulariser, size)
    if is_channels_last(maps):
        channels_last.forward((maps, *arguments), numbers, options)
        return outputs
    # 8 cells a thread (16 of 16 bits, to load 16 bytes): with more, float32 spills on sm_80.
    c = cut_map(weight.numel(), size, cells=2048 // maps.element_size(), warps=2)
    launch(_forward, (weight.numel(),), maps)(
        maps.contiguous(), *arguments, *numbers,
        BR=c.tile_rows, BW=c.tile_columns, EVEN=c.even, BH=triton.next_power_of_2(size[0]),
        **options,
    )  # fmt: skip
    return outputs


def backward(
    grad: Tensor,  # (B, J)
    maps: Tensor,  # (B, J, h, w)
    joints: Tensor,  # (B, J, 2) cells
    weight: Tensor,  # (B, J)
    saved: Tensor,  # (B, J, SAVED)
    *,
    beta: float,
    sigma: float,
    strength: float,
    scale: list[float],
    distance: str,
    regulariser: str,
) -> Tensor:  # like maps
    """Launch `_backward`."""
    size = tuple(maps.shape[2:])
    if maps.numel() == 0:
        return torch.empty_like(maps)
    arguments = joints.float().contiguous(), (grad * weight).float().contiguous(), saved
    numbers = beta, -0.5 / sigma**2, sigma**2, strength, *scale
    options = _options(distance, regulariser, size)
    if is_channels_last(maps):
        return channels_last.backward((maps, *arguments), numbers, options)
    change = torch.empty_like(maps, memory_format=torch.contiguous_format)
    c = cut_map(weight.numel(), size, cells=2048, warps=4, one_tile=True)
    launch(_backward, (weight.numel(), c.parts), maps)(
        maps.contiguous(), *arguments, change, *numbers,
        BR=c.tile_rows, BW=c.tile_columns, EVEN=c.even, **options,
    )  # fmt: skip
    return change


def _options(distance: str, regulariser: str, size: tuple[int, ...]) -> dict[str, Any]:
    chosen: dict[str, Any] = {"L1": distance == "l1", "REGULARISER": REGULARISERS[regulariser]}
    return chosen | {"H": size[0], "W": size[1]}


@triton.jit
def _forward(
    maps, joints, weight, loss, saved, beta, falloff, square, strength, scale_x, scale_y,
    L1: tl.constexpr, REGULARISER: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    BR: tl.constexpr, BW: tl.constexpr, EVEN: tl.constexpr, BH: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    joint_x, joint_y = tl.load(joints + n * 2), tl.load(joints + n * 2 + 1)
    columns = tl.arange(0, BW)
    x = columns.to(tl.float32)
    from_x = (x - joint_x)[None, :]  # counted from the true joint, so that squares stay small
    zero = tl.zeros((BR, BW), tl.float32)
    s, s_y, s_yy = zero, zero, zero
    m = -3.0e38
    for start in range(0, H, BR):
        rows = start + tl.arange(0, BR)
        mask = inside(rows, columns, H, W, EVEN)
        v = tl.load(maps + n * (H * W) + rows[:, None] * W + columns[None, :], mask=mask, other=0.0)
        v = tl.where(mask, v.to(tl.float32) * beta, float("-inf"))
        top = tl.maximum(m, tl.max(tl.max(v, 1), 0))
        shrink = tl.exp(m - top)
        m = top
        w = tl.exp(v - m)
        y = (rows.to(tl.float32) - joint_y)[:, None]
        s = s * shrink + w
        s_y = s_y * shrink + w * y
        if REGULARISER == VARIANCE:
            s_yy = s_yy * shrink + w * y * y
    total = tl.sum(tl.sum(s, 1), 0)
    off_x = tl.sum(tl.sum(s * from_x, 1), 0) / total
    off_y = tl.sum(tl.sum(s_y, 1), 0) / total
    far_x, far_y = off_x * scale_x, off_y * scale_y
    if L1:
        value = tl.abs(far_x) + tl.abs(far_y)
    else:
        value = tl.sqrt(far_x * far_x + far_y * far_y)
    to = saved + n * SAVED
    if REGULARISER == VARIANCE:
        var_x = tl.sum(tl.sum(s * from_x * from_x, 1), 0) / total - off_x * off_x
        var_y = tl.sum(tl.sum(s_yy, 1), 0) / total - off_y * off_y
        excess_x = (var_x - square) * scale_x * scale_x
        excess_y = (var_y - square) * scale_y * scale_y
        value += strength * (excess_x * excess_x + excess_y * excess_y)
        tl.store(to + VAR_X, var_x)
        tl.store(to + VAR_Y, var_y)
    if (REGULARISER == JS) | (REGULARISER == KL):
        log_x = log_factor(x, joint_x, falloff)
        all_rows = tl.arange(0, BH)
        log_rows = log_factor(all_rows.to(tl.float32), joint_y, falloff)
        q_x = tl.exp(log_x)
        norm = tl.log(tl.sum(tl.where(columns < W, q_x, 0.0), 0))
        norm += tl.log(tl.sum(tl.where(all_rows < H, tl.exp(log_rows), 0.0), 0))
        q_x *= tl.exp(-norm)
        ease = m + tl.log(total)
        p_part, q_part = zero, zero
        for start in range(0, H, BR):
            rows = start + tl.arange(0, BR)
            mask = inside(rows, columns, H, W, EVEN)
            at = maps + n * (H * W) + rows[:, None] * W + columns[None, :]
            log_p = tl.load(at, mask=mask, other=0.0).to(tl.float32) * beta - ease
            log_y = log_factor(rows.to(tl.float32), joint_y, falloff)
            log_q = log_y[:, None] + (log_x - norm)[None, :]
            p = tl.where(mask, tl.exp(log_p), 0.0)
            if REGULARISER == JS:
                q = tl.where(mask, tl.exp(log_y)[:, None] * q_x[None, :], 0.0)
                log_m = tl.log(tl.maximum(p + q, 1e-37)) - LOG_2
                p_part += p * (log_p - log_m)
                q_part += q * (log_q - log_m)
            else:
                p_part += p * (log_p - log_q)
        p_sum = tl.sum(tl.sum(p_part, 1), 0)
        if REGULARISER == JS:
            value += strength * 0.5 * (p_sum + tl.sum(tl.sum(q_part, 1), 0))
        else:
            value += strength * p_sum
        tl.store(to + P_SUM, p_sum)
        tl.store(to + NORM, norm)
    w = tl.load(weight + n)
    tl.store(loss + n, tl.where(w == 0, 0.0, value * w))
    tl.store(to + OFF_X, off_x)
    tl.store(to + OFF_Y, off_y)
    tl.store(to + TOP, m)
    tl.store(to + TOTAL, total)


@triton.jit
def _backward(
    maps, joints, slope, saved, change, beta, falloff, square, strength, scale_x, scale_y,
    L1: tl.constexpr, REGULARISER: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    BR: tl.constexpr, BW: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * BR + tl.arange(0, BR)
    columns = tl.arange(0, BW)
    mask = inside(rows, columns, H, W, EVEN)
    at = n * (H * W) + rows[:, None] * W + columns[None, :]
    g = tl.load(slope + n)
    if g == 0:
        tl.store(change + at, tl.zeros((BR, BW), tl.float32), mask=mask)
    else:
        from_saved = saved + n * SAVED
        off_x, off_y = tl.load(from_saved + OFF_X), tl.load(from_saved + OFF_Y)
        m, total = tl.load(from_saved + TOP), tl.load(from_saved + TOTAL)
        joint_x, joint_y = tl.load(joints + n * 2), tl.load(joints + n * 2 + 1)
        x, y = columns.to(tl.float32), rows.to(tl.float32)
        v = tl.load(maps + at, mask=mask, other=0.0).to(tl.float32)
        far_x, far_y = off_x * scale_x, off_y * scale_y
        if L1:
            a_x = tl.where(far_x > 0, scale_x, tl.where(far_x < 0, -scale_x, 0.0))
            a_y = tl.where(far_y > 0, scale_y, tl.where(far_y < 0, -scale_y, 0.0))
        else:
            length = tl.sqrt(far_x * far_x + far_y * far_y)
            inverse = tl.where(length > 0, 1.0 / tl.maximum(length, 1e-37), 0.0)
            a_x, a_y = far_x * scale_x * inverse, far_y * scale_y * inverse
        arm_x, arm_y = x - joint_x - off_x, y - joint_y - off_y
        along_x, along_y = arm_x * a_x, arm_y * a_y
        if REGULARISER == VARIANCE:
            var_x, var_y = tl.load(from_saved + VAR_X), tl.load(from_saved + VAR_Y)
            fourth_x = scale_x * scale_x * scale_x * scale_x * 2 * strength
            fourth_y = scale_y * scale_y * scale_y * scale_y * 2 * strength
            along_x += fourth_x * (var_x - square) * (arm_x * arm_x - var_x)
            along_y += fourth_y * (var_y - square) * (arm_y * arm_y - var_y)
        arm = along_y[:, None] + along_x[None, :]
        log_p = v * beta - (m + tl.log(total))
        p = tl.exp(log_p)
        if (REGULARISER == JS) | (REGULARISER == KL):
            p_sum, norm = tl.load(from_saved + P_SUM), tl.load(from_saved + NORM)
            log_x = log_factor(x, joint_x, falloff) - norm
            log_y = log_factor(y, joint_y, falloff)
            if REGULARISER == JS:
                both = p + tl.exp(log_y)[:, None] * tl.exp(log_x)[None, :]
                log_m = tl.log(tl.maximum(both, 1e-37)) - LOG_2
                arm += (0.5 * strength) * (log_p - log_m - p_sum)
            else:
                arm += strength * (log_p - log_y[:, None] - log_x[None, :] - p_sum)
        tl.store(change + at, p * arm * (g * beta), mask=mask)
