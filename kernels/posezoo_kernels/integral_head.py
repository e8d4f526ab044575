"""A 1x1 convolution and the soft-argmax of its volumes, which never exist.

logits[j, d] = F[j, d] x + bias[j, d] of a cell x of the features; a volume is D x H x W.
Forward: a program has one joint of an image and tiles of BP cells; it keeps the sums of
soft_argmax.py, and `combine` adds those of the programs. Backward computes the logits again, once
for dx (a program has BP cells and goes through the joints) and once for dF (a program has a joint
and goes through images): five products of matrices where storing the logits takes three.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels.launch import is_channels_last, launch, spread
from posezoo_kernels.soft_argmax_sums import LOG2_E, SUMS, combine

MOST_PRODUCTS = 64 * 256  # depth times channels: the filters' gradient of a joint, in registers
_BP = 32
_SHARES = 16  # programs of a joint for the filters' gradient: each has sums of its own


def forward(
    features: Tensor,  # (B, C, h, w)
    filters: Tensor,  # (J * D, C), of the features' type
    bias: Tensor,  # (J * D,)
    *,
    joints: int,
    beta: float,
    scale: list[float],
    offset: list[float],
) -> tuple[Tensor, Tensor]:  # (B, J, 3); mean in cells, maximum and sum (B, J, 5)
    """Launch `_forward` and `combine`."""
    batch, height, width = features.shape[0], *features.shape[2:]
    depth = filters.shape[0] // joints
    place = features.new_empty((batch, joints, 3), dtype=torch.float32)
    saved = features.new_empty((batch, joints, 5), dtype=torch.float32)
    if batch == 0:
        return place, saved
    features, shared = _shared(features, filters, joints)
    parts, part = spread(batch * joints, triton.cdiv(height * width, _BP))
    partial = features.new_empty((batch * joints, parts, 16), dtype=torch.float32)
    launch(_forward, (batch * joints, parts), features, num_warps=4)(
        features, filters.contiguous(), bias.float().contiguous(), partial, beta,
        PART=part * _BP, **shared,
    )  # fmt: skip
    launch(combine, (batch * joints,), features, num_warps=1)(
        partial, place, saved, partial, *scale, *offset, parts,
        SOFTMAX=True, MOMENTS=False, H=height, W=width, ROWS=depth * height, DIMS=3,
        BS=triton.next_power_of_2(parts),
    )  # fmt: skip
    return place, saved


def backward(
    grad: Tensor,  # (B, J, 3)
    features: Tensor,  # (B, C, h, w)
    filters: Tensor,  # (J * D, C)
    bias: Tensor,  # (J * D,)
    saved: Tensor,  # (B, J, 5)
    *,
    joints: int,
    beta: float,
    scale: list[float],
) -> tuple[Tensor, Tensor, Tensor]:  # like features; (J * D, C) and (J * D,) float32
    """Launch `_features_backward` and `_filters_backward`."""
    batch, _, height, width = features.shape
    features, shared = _shared(features, filters, joints)
    change = torch.empty_like(features)
    shares = min(max(batch, 1), _SHARES)
    filters_sums = features.new_empty((shares, *filters.shape), dtype=torch.float32)
    bias_sums = features.new_empty((shares, filters.shape[0]), dtype=torch.float32)
    if batch == 0:
        return change, filters_sums.sum(0).zero_(), bias_sums.sum(0).zero_()
    arguments = (
        features, filters.contiguous(), bias.float().contiguous(), saved,
        grad.float().contiguous(),
    )  # fmt: skip
    tiles = triton.cdiv(height * width, _BP)
    launch(_features_backward, (batch, tiles), features, num_warps=8, trips=(joints,))(
        *arguments, change, beta, *scale, **shared
    )
    shared["BP"] = 64 // features.element_size()  # float32 spills with 32 on sm_90
    trips = triton.cdiv(height * width, shared["BP"]), triton.cdiv(batch, shares)
    launch(_filters_backward, (joints, shares), features, num_warps=8, trips=trips)(
        *arguments, filters_sums, bias_sums, beta, *scale, batch, **shared
    )
    return change, filters_sums.sum(0), bias_sums.sum(0)


def _shared(features: Tensor, filters: Tensor, joints: int) -> tuple[Tensor, dict[str, Any]]:
    """The features in one of two layouts, and the constants of all three kernels."""
    last = is_channels_last(features)
    layout = torch.channels_last if last else torch.contiguous_format
    depth = filters.shape[0] // joints
    _, channels, height, width = features.shape
    return features.contiguous(memory_format=layout), {
        "H": height, "W": width, "C": channels, "J": joints, "D": depth, "CHANNELS_LAST": last,
        "BP": _BP, "BC": max(16, triton.next_power_of_2(channels)),
        "BD": max(16, triton.next_power_of_2(depth)),
    }  # fmt: skip


@triton.jit
def _filters(
    filters, bias, j, C: tl.constexpr, D: tl.constexpr, BC: tl.constexpr, BD: tl.constexpr
):  # fmt: skip
    """The filters (BD, BC) and bias (BD, 1) of joint j."""
    d, c = tl.arange(0, BD), tl.arange(0, BC)
    at = (j * D + d)[:, None] * C + c[None, :]
    kernel = tl.load(filters + at, mask=(d < D)[:, None] & (c < C)[None, :], other=0.0)
    return kernel, tl.load(bias + j * D + d, mask=d < D, other=0.0)[:, None]


@triton.jit
def _cells(
    image, p,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, CHANNELS_LAST: tl.constexpr,
    BC: tl.constexpr,
):  # fmt: skip
    """Where the features of some cells are, (BC, BP), and which of them there are."""
    c = tl.arange(0, BC)
    if CHANNELS_LAST:
        at = p[None, :] * C + c[:, None]
    else:
        at = c[:, None] * (H * W) + p[None, :]
    return image * (C * H * W) + at, (c < C)[:, None] & (p < H * W)[None, :]


@triton.jit
def _slope(
    logits, saved, grad, n, p, scale_x, scale_y, scale_z, beta,
    H: tl.constexpr, W: tl.constexpr, D: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    """Gradient by the logits of map n, (BD, BP)."""
    d = tl.arange(0, BD)
    mean, g = saved + n * 5, grad + n * 3
    m, s = tl.load(mean + 3), tl.load(mean + 4)
    arm_x = ((p % W).to(tl.float32) - tl.load(mean)) * (tl.load(g) * scale_x)
    arm_y = ((p // W).to(tl.float32) - tl.load(mean + 1)) * (tl.load(g + 1) * scale_y)
    arm_z = (d.to(tl.float32) - tl.load(mean + 2)) * (tl.load(g + 2) * scale_z)
    weight = tl.exp2(logits * (beta * LOG2_E) - m) * (beta / s)
    slope = weight * ((arm_x + arm_y)[None, :] + arm_z[:, None])
    return tl.where((d < D)[:, None] & (p < H * W)[None, :], slope, 0.0)


@triton.jit
def _forward(
    features, filters, bias, partial, beta,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, J: tl.constexpr, D: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    PART: tl.constexpr, BP: tl.constexpr, BC: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    kernel, shift = _filters(filters, bias, n % J, C, D, BC, BD)
    d = tl.arange(0, BD)
    z = (d.to(tl.float32) - (D - 1) * 0.5)[:, None]
    zero = tl.zeros((BP,), tl.float32)
    s, s_x, s_y, s_z = zero, zero, zero, zero
    m = -3.0e38
    for start in range(0, PART, BP):
        p = part * PART + start + tl.arange(0, BP)
        at, mask = _cells(n // J, p, H, W, C, CHANNELS_LAST, BC)
        x = tl.load(features + at, mask=mask, other=0.0)
        v = (tl.dot(kernel, x) + shift) * (beta * LOG2_E)
        v = tl.where((d < D)[:, None] & (p < H * W)[None, :], v, float("-inf"))
        top = tl.maximum(m, tl.max(tl.max(v, 1), 0))
        shrink = tl.exp2(m - top)
        m = top
        w = tl.exp2(v - m)
        of_cell = tl.sum(w, 0)
        s = s * shrink + of_cell
        s_x = s_x * shrink + of_cell * ((p % W).to(tl.float32) - (W - 1) * 0.5)
        s_y = s_y * shrink + of_cell * ((p // W).to(tl.float32) - (H - 1) * 0.5)
        s_z = s_z * shrink + tl.sum(w * z, 0)
    to = partial + (n * tl.num_programs(1) + part) * SUMS
    tl.store(to, m * 1.0)
    tl.store(to + 1, tl.sum(s, 0))
    tl.store(to + 2, 0.0)
    tl.store(to + 3, tl.sum(s_x, 0))
    tl.store(to + 4, tl.sum(s_y, 0))
    tl.store(to + 5, tl.sum(s_z, 0))


@triton.jit
def _features_backward(
    features, filters, bias, saved, grad, change, beta, scale_x, scale_y, scale_z,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, J: tl.constexpr, D: tl.constexpr,
    CHANNELS_LAST: tl.constexpr, BP: tl.constexpr, BC: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    p = tl.program_id(1) * BP + tl.arange(0, BP)
    at, mask = _cells(image, p, H, W, C, CHANNELS_LAST, BC)
    x = tl.load(features + at, mask=mask, other=0.0)
    total = tl.zeros((BC, BP), tl.float32)
    for j in range(J):
        kernel, shift = _filters(filters, bias, j, C, D, BC, BD)
        slope = _slope(
            tl.dot(kernel, x) + shift, saved, grad, image * J + j, p,
            scale_x, scale_y, scale_z, beta, H, W, D, BD,
        )  # fmt: skip
        total = tl.dot(tl.trans(kernel), slope.to(x.dtype), total)
    tl.store(change + at, total, mask=mask)


@triton.jit
def _filters_backward(
    features, filters, bias, saved, grad, filters_sums, bias_sums,
    beta, scale_x, scale_y, scale_z, B,
    H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, J: tl.constexpr, D: tl.constexpr,
    CHANNELS_LAST: tl.constexpr, BP: tl.constexpr, BC: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    j = tl.program_id(0).to(tl.int64)
    share = tl.program_id(1)
    kernel, shift = _filters(filters, bias, j, C, D, BC, BD)
    total = tl.zeros((BD, BC), tl.float32)
    bias_total = tl.zeros((BD, BP), tl.float32)
    for image in range(share, B, tl.num_programs(1)):
        for start in range(0, H * W, BP):
            p = start + tl.arange(0, BP)
            at, mask = _cells(image * (j * 0 + 1), p, H, W, C, CHANNELS_LAST, BC)
            x = tl.load(features + at, mask=mask, other=0.0)
            slope = _slope(
                tl.dot(kernel, x) + shift, saved, grad, image * J + j, p,
                scale_x, scale_y, scale_z, beta, H, W, D, BD,
            )  # fmt: skip
            bias_total += slope
            total = tl.dot(slope.to(x.dtype), tl.trans(x), total)
    d, c = tl.arange(0, BD), tl.arange(0, BC)
    to = (share * J + j) * D + d
    tl.store(bias_sums + to, tl.sum(bias_total, 1), mask=d < D)
    inside = (d < D)[:, None] & (c < C)[None, :]
    tl.store(filters_sums + to[:, None] * C + c[None, :], total, mask=inside)
