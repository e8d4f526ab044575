"""A 1x1 convolution and its heatmap MSE in one sweep over the features: the maps never exist.

map = F x + bias, loss[n, j] = weight / cells * sum (map - G)^2, d map = 2 weight / cells (map - G),
dx = F^T d map, dF = sum of d map x^T, dbias = sum of d map.
A program takes tiles of BP cells of all channels of an image; the gradients of filters and bias
stay in registers over its tiles, and torch adds those of the programs. Each feature is read once,
where a convolution reads it in the forward and again for the filters' gradient.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels.gaussian_heatmaps import bounds, factor
from posezoo_kernels.launch import is_channels_last, launch, spread

MOST_CHANNELS = 256  # the filters' gradient, 32 x 256 float32, just fits the registers of 8 warps


def forward(
    features: Tensor,  # (B, C, h, w)
    filters: Tensor,  # (J, C), of the features' type
    bias: Tensor,  # (J,) float32
    joints: Tensor,  # (B, J, 2) cells
    weight: Tensor,  # (B, J)
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Launch `_sweep`: the loss of all, and its gradient by features, filters and bias."""
    batch, channels, height, width = features.shape
    count, last = filters.shape[0], is_channels_last(features)
    layout = torch.channels_last if last else torch.contiguous_format
    features = features.contiguous(memory_format=layout)
    bp = 64 // features.element_size()  # float32 spills with 32 on sm_80
    parts, part = spread(max(batch, 1), triton.cdiv(height * width, bp))
    change = torch.empty_like(features, memory_format=layout)
    sums, bias_sums = (
        features.new_empty((batch, parts, count), dtype=torch.float32) for _ in range(2)
    )
    filters_sums = features.new_empty((batch, parts, count, channels), dtype=torch.float32)
    if batch:
        launch(_sweep, (batch, parts), features, num_warps=8)(
            features, filters.contiguous(), bias.float().contiguous(), joints.float().contiguous(),
            weight.float().contiguous(), sums, change, filters_sums, bias_sums,
            *bounds(sigma, cut), peak,
            H=height, W=width, C=channels, J=count, QUANTISED=quantised, CHANNELS_LAST=last,
            PART=part * bp, BP=bp, BC=max(16, triton.next_power_of_2(channels)),
            BJ=max(16, triton.next_power_of_2(count)),
        )  # fmt: skip
    return sums.sum(), change, filters_sums.sum((0, 1)), bias_sums.sum((0, 1))


def scale(change: Tensor, by: Tensor) -> Tensor:
    """Launch `_scale`: multiply in place by one number, reading nothing if that is 1."""
    if change.numel():
        tile = 4096
        launch(_scale, (triton.cdiv(change.numel(), tile),), change)(
            change, by, change.numel(), BLOCK=tile
        )
    return change


@triton.jit
def _sweep(
    features, filters, bias, joints, weight, sums, change, filters_sums, bias_sums,
    falloff, cut, peak,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, J: tl.constexpr, QUANTISED: tl.constexpr,
    CHANNELS_LAST: tl.constexpr, PART: tl.constexpr, BP: tl.constexpr, BC: tl.constexpr,
    BJ: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    j, c = tl.arange(0, BJ), tl.arange(0, BC)
    real = j < J
    kernel = tl.load(
        filters + j[:, None] * C + c[None, :], mask=real[:, None] & (c < C)[None, :], other=0.0
    )  # fmt: skip
    shift = tl.load(bias + j, mask=real, other=0.0)[:, None]
    w = tl.load(weight + image * J + j, mask=real, other=0.0)
    joint = joints + (image * J + j) * 2
    joint_x = tl.load(joint, mask=real, other=-9.0)[:, None]
    joint_y = tl.load(joint + 1, mask=real, other=-9.0)[:, None]
    share = (w / (H * W))[:, None]
    total = tl.zeros((BJ, BP), tl.float32)
    bias_total = tl.zeros((BJ, BP), tl.float32)
    filters_total = tl.zeros((BJ, BC), tl.float32)
    for start in range(0, PART, BP):
        p = part * PART + start + tl.arange(0, BP)
        if CHANNELS_LAST:
            at = p[None, :] * C + c[:, None]
        else:
            at = c[:, None] * (H * W) + p[None, :]
        at = image * (C * H * W) + at
        mask = (c < C)[:, None] & (p < H * W)[None, :]
        x = tl.load(features + at, mask=mask, other=0.0)  # (BC, BP)
        map_ = tl.dot(kernel, x) + shift
        gx = factor((p % W).to(tl.float32)[None, :], joint_x, falloff, cut, W, QUANTISED) * peak
        gy = factor((p // W).to(tl.float32)[None, :], joint_y, falloff, cut, H, QUANTISED)
        used = (w != 0)[:, None] & (p < H * W)[None, :]
        difference = tl.where(used, map_ - gx * gy, 0.0)
        slope = difference * (2 * share)
        total += difference * difference
        bias_total += slope
        narrow = slope.to(x.dtype)
        dx = tl.dot(tl.trans(kernel), narrow)
        tl.store(change + at, dx, mask=mask)
        filters_total = tl.dot(narrow, tl.trans(x), filters_total)
    to = (image * tl.num_programs(1) + part) * J + j
    tl.store(sums + to, tl.sum(total * share, 1), mask=real)
    tl.store(bias_sums + to, tl.sum(bias_total, 1), mask=real)
    inside = real[:, None] & (c < C)[None, :]
    tl.store(filters_sums + to[:, None] * C + c[None, :], filters_total, mask=inside)


@triton.jit
def _scale(change, by, N, BLOCK: tl.constexpr):
    factor = tl.load(by)
    if factor != 1:
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        v = tl.load(change + at, mask=at < N, other=0.0)
        tl.store(change + at, v.to(tl.float32) * factor, mask=at < N)
