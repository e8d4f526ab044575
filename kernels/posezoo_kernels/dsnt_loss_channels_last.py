"""DSNT's loss on maps whose joints lie side by side, as a channels-last network leaves them.

A program reads all joints of an image in tiles of BP cells of BJ joints, twice (the second time
from the cache), and keeps one maximum per joint. Mathematics as in dsnt_loss.py.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels.dsnt_saved import (
    JS,
    KL,
    NORM,
    OFF_X,
    OFF_Y,
    P_SUM,
    SAVED,
    TOP,
    TOTAL,
    VAR_X,
    VAR_Y,
    VARIANCE,
)
from posezoo_kernels.gaussian_heatmaps import LOG_2, log_factor
from posezoo_kernels.launch import cut_cells, launch


def forward(
    arguments: tuple[Tensor, ...],  # maps channels last, joints, weight, loss, saved
    numbers: tuple[float, ...],
    options: dict[str, Any],
) -> None:
    """Launch `_forward` into the last two of the arguments."""
    maps = arguments[0]
    bj, bp, _, _ = cut_cells(maps, 1024)
    height, width = maps.shape[2:]
    around, across = (triton.cdiv(n, bp) for n in (height * width, width))
    trips = (around, across, triton.cdiv(height, bp), around)
    launch(_forward, (maps.shape[0],), maps, trips=trips)(
        *arguments, *numbers, J=maps.shape[1], BP=bp, BJ=bj, **options
    )


def backward(
    arguments: tuple[Tensor, ...],  # maps channels last, joints, slope, saved
    numbers: tuple[float, ...],
    options: dict[str, Any],
) -> Tensor:  # like maps, channels last
    """Launch `_backward`, one tile per program."""
    maps = arguments[0]
    change = torch.empty_like(maps, memory_format=torch.channels_last)
    bj, bp, parts, _ = cut_cells(maps, 1024, one_tile=True)
    launch(_backward, (maps.shape[0], parts), maps)(
        *arguments, change, *numbers, J=maps.shape[1], BP=bp, BJ=bj, **options
    )
    return change


@triton.jit
def _log_sum(joint, falloff, SIZE: tl.constexpr, BP: tl.constexpr, BJ: tl.constexpr):
    """Logarithm of the sum of the factor along one axis."""
    total = tl.zeros((BP, BJ), tl.float32)
    for start in range(0, SIZE, BP):
        cells = start + tl.arange(0, BP)
        value = tl.exp(log_factor(cells.to(tl.float32)[:, None], joint, falloff))
        total += tl.where((cells < SIZE)[:, None], value, 0.0)
    return tl.log(tl.sum(total, 0))


@triton.jit
def _forward(
    maps, joints, weight, loss, saved, beta, falloff, square, strength, scale_x, scale_y,
    L1: tl.constexpr, REGULARISER: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    J: tl.constexpr, BP: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    j = tl.arange(0, BJ)
    real = j < J
    n = image * J + j
    joint_x = tl.load(joints + n * 2, mask=real, other=0.0)[None, :]
    joint_y = tl.load(joints + n * 2 + 1, mask=real, other=0.0)[None, :]
    zero = tl.zeros((BP, BJ), tl.float32)
    s, s_x, s_y, s_xx, s_yy = zero, zero, zero, zero, zero
    m = tl.zeros((BJ,), tl.float32) - 3.0e38
    for start in range(0, H * W, BP):
        cells = start + tl.arange(0, BP)
        mask = (cells < H * W)[:, None] & real[None, :]
        at = maps + image * (H * W * J) + cells[:, None] * J + j[None, :]
        v = tl.load(at, mask=mask, other=0.0).to(tl.float32)
        v = tl.where(mask, v * beta, float("-inf"))
        top = tl.maximum(m, tl.max(v, 0))
        shrink = tl.exp(m - top)[None, :]
        m = top
        w = tl.exp(v - m[None, :])
        x = (cells % W).to(tl.float32)[:, None] - joint_x
        y = (cells // W).to(tl.float32)[:, None] - joint_y
        s = s * shrink + w
        s_x = s_x * shrink + w * x
        s_y = s_y * shrink + w * y
        if REGULARISER == VARIANCE:
            s_xx = s_xx * shrink + w * x * x
            s_yy = s_yy * shrink + w * y * y
    total = tl.where(real, tl.sum(s, 0), 1.0)
    off_x, off_y = tl.sum(s_x, 0) / total, tl.sum(s_y, 0) / total
    far_x, far_y = off_x * scale_x, off_y * scale_y
    if L1:
        value = tl.abs(far_x) + tl.abs(far_y)
    else:
        value = tl.sqrt(far_x * far_x + far_y * far_y)
    to = saved + n * SAVED
    if REGULARISER == VARIANCE:
        var_x = tl.sum(s_xx, 0) / total - off_x * off_x
        var_y = tl.sum(s_yy, 0) / total - off_y * off_y
        over_x = (var_x - square) * (scale_x * scale_x)
        over_y = (var_y - square) * (scale_y * scale_y)
        value += strength * (over_x * over_x + over_y * over_y)
        tl.store(to + VAR_X, var_x, mask=real)
        tl.store(to + VAR_Y, var_y, mask=real)
    if (REGULARISER == JS) | (REGULARISER == KL):
        norm = _log_sum(joint_x, falloff, W, BP, BJ) + _log_sum(joint_y, falloff, H, BP, BJ)
        ease = tl.where(real, m + tl.log(total), 0.0)
        p_part, q_part = zero, zero
        for start in range(0, H * W, BP):
            cells = start + tl.arange(0, BP)
            mask = (cells < H * W)[:, None] & real[None, :]
            at = maps + image * (H * W * J) + cells[:, None] * J + j[None, :]
            log_p = tl.load(at, mask=mask, other=0.0).to(tl.float32) * beta - ease[None, :]
            log_q = log_factor((cells % W).to(tl.float32)[:, None], joint_x, falloff)
            log_q += log_factor((cells // W).to(tl.float32)[:, None], joint_y, falloff)
            log_q -= norm[None, :]
            p = tl.where(mask, tl.exp(log_p), 0.0)
            if REGULARISER == JS:
                q = tl.where(mask, tl.exp(log_q), 0.0)
                log_m = tl.log(tl.maximum(p + q, 1e-37)) - LOG_2
                p_part += p * (log_p - log_m)
                q_part += q * (log_q - log_m)
            else:
                p_part += p * (log_p - log_q)
        p_sum = tl.sum(p_part, 0)
        if REGULARISER == JS:
            value += strength * 0.5 * (p_sum + tl.sum(q_part, 0))
        else:
            value += strength * p_sum
        tl.store(to + P_SUM, p_sum, mask=real)
        tl.store(to + NORM, norm, mask=real)
    w = tl.load(weight + n, mask=real, other=0.0)
    tl.store(loss + n, tl.where(w == 0, 0.0, value * w), mask=real)
    tl.store(to + OFF_X, off_x, mask=real)
    tl.store(to + OFF_Y, off_y, mask=real)
    tl.store(to + TOP, m, mask=real)
    tl.store(to + TOTAL, total, mask=real)


@triton.jit
def _backward(
    maps, joints, slope, saved, change, beta, falloff, square, strength, scale_x, scale_y,
    L1: tl.constexpr, REGULARISER: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    J: tl.constexpr, BP: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    cells = tl.program_id(1) * BP + tl.arange(0, BP)
    j = tl.arange(0, BJ)
    real = j < J
    n = image * J + j
    g = tl.load(slope + n, mask=real, other=0.0)
    used = g != 0
    inside = (cells < H * W)[:, None]
    at = image * (H * W * J) + cells[:, None] * J + j[None, :]
    v = tl.load(maps + at, mask=inside & used[None, :], other=0.0).to(tl.float32)
    joint_x = tl.load(joints + n * 2, mask=real, other=0.0)[None, :]
    joint_y = tl.load(joints + n * 2 + 1, mask=real, other=0.0)[None, :]
    kept = saved + n * SAVED
    off_x = tl.load(kept + OFF_X, mask=real, other=0.0)
    off_y = tl.load(kept + OFF_Y, mask=real, other=0.0)
    m = tl.load(kept + TOP, mask=real, other=0.0)
    total = tl.load(kept + TOTAL, mask=real, other=1.0)
    far_x, far_y = off_x * scale_x, off_y * scale_y
    if L1:
        a_x = tl.where(far_x > 0, scale_x, tl.where(far_x < 0, -scale_x, 0.0))
        a_y = tl.where(far_y > 0, scale_y, tl.where(far_y < 0, -scale_y, 0.0))
    else:
        length = tl.sqrt(far_x * far_x + far_y * far_y)
        inverse = tl.where(length > 0, 1.0 / tl.maximum(length, 1e-37), 0.0)
        a_x, a_y = far_x * scale_x * inverse, far_y * scale_y * inverse
    x, y = (cells % W).to(tl.float32)[:, None], (cells // W).to(tl.float32)[:, None]
    arm_x, arm_y = x - joint_x - off_x[None, :], y - joint_y - off_y[None, :]
    arm = arm_x * a_x[None, :] + arm_y * a_y[None, :]
    if REGULARISER == VARIANCE:
        var_x = tl.load(kept + VAR_X, mask=real, other=0.0)
        var_y = tl.load(kept + VAR_Y, mask=real, other=0.0)
        fourth_x = scale_x * scale_x * scale_x * scale_x * 2 * strength
        fourth_y = scale_y * scale_y * scale_y * scale_y * 2 * strength
        arm += (fourth_x * (var_x - square))[None, :] * (arm_x * arm_x - var_x[None, :])
        arm += (fourth_y * (var_y - square))[None, :] * (arm_y * arm_y - var_y[None, :])
    log_p = v * beta - (m + tl.log(total))[None, :]
    p = tl.exp(log_p)
    if (REGULARISER == JS) | (REGULARISER == KL):
        p_sum = tl.load(kept + P_SUM, mask=real, other=0.0)[None, :]
        norm = tl.load(kept + NORM, mask=real, other=0.0)[None, :]
        log_q = log_factor(x, joint_x, falloff) + log_factor(y, joint_y, falloff) - norm
        if REGULARISER == JS:
            log_m = tl.log(tl.maximum(p + tl.exp(log_q), 1e-37)) - LOG_2
            arm += (0.5 * strength) * (log_p - log_m - p_sum)
        else:
            arm += strength * (log_p - log_q - p_sum)
    result = tl.where(used[None, :], p * arm * (g * beta)[None, :], 0.0)
    tl.store(change + at, result, mask=inside & real[None, :])
