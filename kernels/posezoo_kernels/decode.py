"""Hard argmax with refinement, score, flip average and affine map, in one read of the maps.

Each program keeps, per lane of a tile, the greatest value so far and its index (strictly greater
wins, so the first), and reduces once at the end, ties to the least index. It then loads the patch
around the maximum: 15x15 cells for the 11-cell blur of DARK in place of blurring the whole map,
because the Newton step on log(blurred) does not change with a factor of the map.
NaN counts as greater than all, as in numpy.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels.launch import cut as cut_map
from posezoo_kernels.launch import inside, launch

_NONE, _QUARTER, _TAYLOR, _DARK, _UDP = range(5)
_REFINE = {"none": _NONE, "quarter": _QUARTER, "taylor": _TAYLOR, "dark": _DARK, "udp": _UDP}


def forward(
    maps: Tensor,  # (B, J, h, w)
    flipped: Tensor | None,  # (B, J, h, w)
    flip_joints: Tensor | None,  # (J,) int64
    *,
    flip_shift: bool,
    refine: str,
    blur_cells: int,
    blur_sigma: float,
    limit: float,
    scale: list[float],
    offset: list[float],
) -> tuple[Tensor, Tensor]:  # (B, J, 2), (B, J)
    """Launch `_decode`."""
    lead, size = maps.shape[:2], tuple(maps.shape[2:])
    place, score = maps.new_empty((*lead, 2)).float(), maps.new_empty(lead).float()
    if maps.numel() == 0:
        return place, score
    maps = maps.contiguous()
    c = cut_map(maps.shape[0] * maps.shape[1], size)
    reach = 1 if refine == "udp" else 2
    radius = blur_cells // 2 if refine in ("dark", "udp") else 0
    launch(_decode, (maps.shape[0] * maps.shape[1],), maps, num_warps=c.warps)(
        maps,
        maps if flipped is None else flipped.contiguous(),
        maps if flip_joints is None else flip_joints.contiguous(),
        place, score, -0.5 / blur_sigma**2, min(limit, 3.0e38), *scale, *offset, maps.shape[1],
        REFINE=_REFINE[refine], FLIP=flipped is not None, SHIFT=int(flip_shift),
        REACH=reach, RADIUS=radius, H=size[0], W=size[1],
        BR=c.tile_rows, BW=c.tile_columns, EVEN=c.even,
        BP=triton.next_power_of_2(2 * (reach + radius) + 1),
    )  # fmt: skip
    return place, score


@triton.jit
def _cells(
    maps, flipped, n, mirror, y, x, mask,
    FLIP: tl.constexpr, SHIFT: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
):  # fmt: skip
    """Values of a map, averaged with the mirrored one: its column x is W - 1 - x over there."""
    v = tl.load(maps + n * (H * W) + y * W + x, mask=mask, other=0.0).to(tl.float32)
    if FLIP:
        over = W - 1 - tl.maximum(x - SHIFT, 0)
        f = tl.load(flipped + mirror * (H * W) + y * W + over, mask=mask, other=0.0)
        v = (v + f.to(tl.float32)) * 0.5
    return v


@triton.jit
def _tap(d, falloff, RADIUS: tl.constexpr):
    return tl.where(tl.abs(d) <= RADIUS, tl.exp((d * d).to(tl.float32) * falloff), 0.0)


@triton.jit
def _blur_x(patch, d, dx, falloff, RADIUS: tl.constexpr):
    return tl.sum(patch * _tap(d - dx, falloff, RADIUS)[None, :], 1)


@triton.jit
def _log(column, d, dy, falloff, centre, floor, RADIUS: tl.constexpr):
    """Logarithm of the blurred map at one cell, relative to the centre."""
    blurred = tl.sum(column * _tap(d - dy, falloff, RADIUS), 0)
    return tl.log(tl.maximum(blurred / centre, floor))


@triton.jit
def _decode(
    maps, flipped, order, place, score, falloff, limit, scale_x, scale_y, offset_x, offset_y, J,
    REFINE: tl.constexpr, FLIP: tl.constexpr, SHIFT: tl.constexpr, REACH: tl.constexpr,
    RADIUS: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    BR: tl.constexpr, BW: tl.constexpr, BP: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    mirror = n
    if FLIP:
        mirror = n - n % J + tl.load(order + n % J)
    columns = tl.arange(0, BW)
    best = tl.full((BR, BW), float("-inf"), tl.float32)
    index = tl.arange(0, BR)[:, None] * W + columns[None, :]
    for start in range(0, H, BR):
        rows = start + tl.arange(0, BR)
        mask = inside(rows, columns, H, W, EVEN)
        y, x = rows[:, None], columns[None, :]
        v = _cells(maps, flipped, n, mirror, y, x, mask, FLIP, SHIFT, H, W)
        v = tl.where(v == v, v, float("inf"))  # noqa: PLR0124 - false for NaN
        v = tl.where(mask, v, float("-inf"))
        better = v > best
        index = tl.where(better, y * W + x, index)
        best = tl.where(better, v, best)
    top = tl.max(tl.max(best, 1), 0)
    at = tl.min(tl.min(tl.where(best == top, index, H * W - 1), 1), 0)
    x, y = at % W, at // W
    value = _cells(maps, flipped, n, mirror, y, x, x >= 0, FLIP, SHIFT, H, W)
    step_x, step_y = x.to(tl.float32) * 0.0, x.to(tl.float32) * 0.0
    if REFINE == 1:
        in_x, in_y = (x > 0) & (x < W - 1), (y > 0) & (y < H - 1)
        right = _cells(maps, flipped, n, mirror, y, x + 1, in_x, FLIP, SHIFT, H, W)
        left = _cells(maps, flipped, n, mirror, y, x - 1, in_x, FLIP, SHIFT, H, W)
        below = _cells(maps, flipped, n, mirror, y + 1, x, in_y, FLIP, SHIFT, H, W)
        above = _cells(maps, flipped, n, mirror, y - 1, x, in_y, FLIP, SHIFT, H, W)
        step_x = tl.where(right > left, 0.25, tl.where(right < left, -0.25, 0.0))
        step_y = tl.where(below > above, 0.25, tl.where(below < above, -0.25, 0.0))
        step_x, step_y = tl.where(value > 0, step_x, 0.0), tl.where(value > 0, step_y, 0.0)
    if REFINE > 1:
        EDGE: tl.constexpr = REACH + RADIUS
        d = tl.arange(0, BP) - EDGE
        rows, cols = (y + d)[:, None], (x + d)[None, :]
        mask = (rows >= 0) & (rows < H) & (cols >= 0) & (cols < W)
        mask = mask & (d <= EDGE)[:, None] & (d <= EDGE)[None, :]
        patch = _cells(maps, flipped, n, mirror, rows, cols, mask, FLIP, SHIFT, H, W)
        here = _blur_x(patch, d, 0, falloff, RADIUS)
        centre = tl.sum(here * _tap(d, falloff, RADIUS), 0)
        if REFINE == 4:
            west, east = tl.maximum(x - 1, 0) - x, tl.minimum(x + 1, W - 1) - x
            north, south = tl.maximum(y - 1, 0) - y, tl.minimum(y + 1, H - 1) - y
            left = _blur_x(patch, d, west, falloff, RADIUS)
            right = _blur_x(patch, d, east, falloff, RADIUS)
            e = _log(right, d, 0, falloff, centre, 1e-3, RADIUS)
            w = _log(left, d, 0, falloff, centre, 1e-3, RADIUS)
            so = _log(here, d, south, falloff, centre, 1e-3, RADIUS)
            no = _log(here, d, north, falloff, centre, 1e-3, RADIUS)
            se = _log(right, d, south, falloff, centre, 1e-3, RADIUS)
            nw = _log(left, d, north, falloff, centre, 1e-3, RADIUS)
            xx, yy = e + w + 1.1920929e-07, so + no + 1.1920929e-07
            xy = 0.5 * (se - e - so - w - no + nw)
            usable = centre > 0
        else:
            left = _blur_x(patch, d, -1, falloff, RADIUS)
            right = _blur_x(patch, d, 1, falloff, RADIUS)
            e = _log(right, d, 0, falloff, centre, 1e-10, RADIUS)
            w = _log(left, d, 0, falloff, centre, 1e-10, RADIUS)
            so = _log(here, d, 1, falloff, centre, 1e-10, RADIUS)
            no = _log(here, d, -1, falloff, centre, 1e-10, RADIUS)
            far_e, far_w = (
                _blur_x(patch, d, 2, falloff, RADIUS), _blur_x(patch, d, -2, falloff, RADIUS)
            )  # fmt: skip
            xx = 0.25 * (
                _log(far_e, d, 0, falloff, centre, 1e-10, RADIUS)
                + _log(far_w, d, 0, falloff, centre, 1e-10, RADIUS)
            )
            yy = 0.25 * (
                _log(here, d, 2, falloff, centre, 1e-10, RADIUS)
                + _log(here, d, -2, falloff, centre, 1e-10, RADIUS)
            )
            xy = 0.25 * (
                _log(right, d, 1, falloff, centre, 1e-10, RADIUS)
                - _log(left, d, 1, falloff, centre, 1e-10, RADIUS)
                - _log(right, d, -1, falloff, centre, 1e-10, RADIUS)
                + _log(left, d, -1, falloff, centre, 1e-10, RADIUS)
            )
            inner = (x > 1) & (x < W - 2) & (y > 1) & (y < H - 2)
            usable = tl.where(inner, centre, 0.0) > 0
        gx, gy = 0.5 * (e - w), 0.5 * (so - no)
        determinant = xx * yy - xy * xy
        safe = tl.where(determinant == 0, 1.0, determinant)
        usable = tl.where(usable, determinant, 0.0) != 0
        step_x = tl.where(usable, (xy * gy - yy * gx) / safe, 0.0)
        step_y = tl.where(usable, (xy * gx - xx * gy) / safe, 0.0)
        step_x = tl.minimum(tl.maximum(step_x, -limit), limit)
        step_y = tl.minimum(tl.maximum(step_y, -limit), limit)
    tl.store(score + n, value)
    tl.store(place + n * 2, (x.to(tl.float32) + step_x) * scale_x + offset_x)
    tl.store(place + n * 2 + 1, (y.to(tl.float32) + step_y) * scale_y + offset_y)
