"""The sums that soft-argmax makes of a map: how parts are added, and what is made of the whole."""

from __future__ import annotations

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)  # logits are kept in base 2: exp2 is one instruction
SUMS = tl.constexpr(16)  # m, s, entropy, x y z, xx xy yy xz yz zz, and 4 to make a power of two


@triton.jit
def _sum(partial, parts, mask, weight, which: tl.constexpr):
    return tl.sum(tl.load(partial + parts * SUMS + which, mask=mask, other=0.0) * weight, 0)


@triton.jit
def combine(
    partial, place, saved, stats,
    scale_x, scale_y, scale_z, offset_x, offset_y, offset_z, S,
    SOFTMAX: tl.constexpr, MOMENTS: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    ROWS: tl.constexpr, DIMS: tl.constexpr, BS: tl.constexpr,
):  # fmt: skip
    """Add the sums of a map's parts, rescaled to the greatest m, and finish."""
    n = tl.program_id(0).to(tl.int64)
    parts = tl.arange(0, BS)
    mask = parts < S
    p = partial + n * S * SUMS
    tops = tl.load(p + parts * SUMS, mask=mask, other=-3.0e38)
    m = tl.max(tops, 0)
    weight = mask.to(tl.float32)
    if SOFTMAX:
        weight = weight * tl.exp2(tops - m)
    s, e = _sum(p, parts, mask, weight, 1), _sum(p, parts, mask, weight, 2)
    x, y = _sum(p, parts, mask, weight, 3), _sum(p, parts, mask, weight, 4)
    z = _sum(p, parts, mask, weight, 5)
    nil = s * 0.0
    xx, xy, yy, xz, yz, zz = nil, nil, nil, nil, nil, nil
    if MOMENTS:
        xx, xy = _sum(p, parts, mask, weight, 6), _sum(p, parts, mask, weight, 7)
        yy, xz = _sum(p, parts, mask, weight, 8), _sum(p, parts, mask, weight, 9)
        yz, zz = _sum(p, parts, mask, weight, 10), _sum(p, parts, mask, weight, 11)
    finish(
        place, saved, stats, n, m, s, e, x, y, z, xx, xy, yy, xz, yz, zz,
        scale_x, scale_y, scale_z, offset_x, offset_y, offset_z,
        SOFTMAX, MOMENTS, H, W, ROWS, DIMS,
    )  # fmt: skip


@triton.jit
def finish(
    place, saved, stats, n, m, s, e, x, y, z, xx, xy, yy, xz, yz, zz,
    scale_x, scale_y, scale_z, offset_x, offset_y, offset_z,
    SOFTMAX: tl.constexpr, MOMENTS: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    ROWS: tl.constexpr, DIMS: tl.constexpr,
):  # fmt: skip
    """Write one map's results from its sums; x, y, z are counted from the middle of the map."""
    D: tl.constexpr = ROWS // H
    alike = s * 0.0 + ROWS * W  # `sum` without a positive cell: all cells alike
    if SOFTMAX:
        full = s
    else:
        full = tl.where(s > 0, s, alike)
    mean_x, mean_y, mean_z = x / full, y / full, z / full
    cell_x, cell_y = mean_x + (W - 1) * 0.5, mean_y + (H - 1) * 0.5
    to = saved + n * (DIMS + 2)
    tl.store(to, cell_x)
    tl.store(to + 1, cell_y)
    tl.store(to + DIMS, m)
    tl.store(to + DIMS + 1, s)
    tl.store(place + n * DIMS, cell_x * scale_x + offset_x)
    tl.store(place + n * DIMS + 1, cell_y * scale_y + offset_y)
    if DIMS == 3:
        cell_z = mean_z + (D - 1) * 0.5
        tl.store(to + 2, cell_z)
        tl.store(place + n * DIMS + 2, cell_z * scale_z + offset_z)
    if MOMENTS:
        if SOFTMAX:
            peak = 1.0 / s
            entropy = tl.log(s) + (m - e / s) / LOG2_E
        else:
            peak = tl.where(s > 0, m / full, 1.0 / full)
            entropy = tl.log(full) - e / full
            xx = tl.where(s > 0, xx, full * ((W * W - 1) / 12))
            yy = tl.where(s > 0, yy, full * ((H * H - 1) / 12))
            zz = tl.where(s > 0, zz, full * ((D * D - 1) / 12))
        to = stats + n * (2 + DIMS * DIMS)
        tl.store(to, peak)
        tl.store(to + 1, entropy)
        cov_xy = (xy / full - mean_x * mean_y) * (scale_x * scale_y)
        tl.store(to + 2, tl.maximum(xx / full - mean_x * mean_x, 0.0) * (scale_x * scale_x))
        tl.store(to + 3, cov_xy)
        tl.store(to + 2 + DIMS, cov_xy)
        tl.store(to + 3 + DIMS, tl.maximum(yy / full - mean_y * mean_y, 0.0) * (scale_y * scale_y))
        if DIMS == 3:
            cov_xz = (xz / full - mean_x * mean_z) * (scale_x * scale_z)
            cov_yz = (yz / full - mean_y * mean_z) * (scale_y * scale_z)
            tl.store(to + 4, cov_xz)
            tl.store(to + 7, cov_yz)
            tl.store(to + 8, cov_xz)
            tl.store(to + 9, cov_yz)
            tl.store(to + 10, tl.maximum(zz / full - mean_z * mean_z, 0.0) * (scale_z * scale_z))
