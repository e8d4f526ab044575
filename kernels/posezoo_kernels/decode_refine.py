"""From the greatest cell to the place: refinement, score and affine map, of one map.

Reads the patch around the maximum only: 15x15 cells for the 11-cell blur of DARK in place of
blurring the whole map, because the Newton step on log(blurred) does not change with a factor.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def cells(
    maps, flipped, at, mirror, y, x, mask,
    FLIP: tl.constexpr, SHIFT: tl.constexpr, W: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    """Values of a map, averaged with the mirrored one: its column x is W - 1 - x over there.

    `at` and `mirror` say where the maps begin, STEP how far apart their cells are.
    """
    v = tl.load(maps + at + (y * W + x) * STEP, mask=mask, other=0.0).to(tl.float32)
    if FLIP:
        over = W - 1 - tl.maximum(x - SHIFT, 0)
        f = tl.load(flipped + mirror + (y * W + over) * STEP, mask=mask, other=0.0)
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
def finish(
    maps, flipped, at, mirror, index, place, score, n,
    falloff, limit, scale_x, scale_y, offset_x, offset_y,
    REFINE: tl.constexpr, FLIP: tl.constexpr, SHIFT: tl.constexpr, REACH: tl.constexpr,
    RADIUS: tl.constexpr, H: tl.constexpr, W: tl.constexpr, STEP: tl.constexpr, BP: tl.constexpr,
):  # fmt: skip
    """Write place and score of map n, whose greatest cell is `index`."""
    x, y = index % W, index // W
    value = cells(maps, flipped, at, mirror, y, x, x >= 0, FLIP, SHIFT, W, STEP)
    step_x, step_y = x.to(tl.float32) * 0.0, x.to(tl.float32) * 0.0
    if REFINE == 1:
        in_x, in_y = (x > 0) & (x < W - 1), (y > 0) & (y < H - 1)
        right = cells(maps, flipped, at, mirror, y, x + 1, in_x, FLIP, SHIFT, W, STEP)
        left = cells(maps, flipped, at, mirror, y, x - 1, in_x, FLIP, SHIFT, W, STEP)
        below = cells(maps, flipped, at, mirror, y + 1, x, in_y, FLIP, SHIFT, W, STEP)
        above = cells(maps, flipped, at, mirror, y - 1, x, in_y, FLIP, SHIFT, W, STEP)
        step_x = tl.where(right > left, 0.25, tl.where(right < left, -0.25, 0.0))
        step_y = tl.where(below > above, 0.25, tl.where(below < above, -0.25, 0.0))
        step_x, step_y = tl.where(value > 0, step_x, 0.0), tl.where(value > 0, step_y, 0.0)
    if REFINE > 1:
        EDGE: tl.constexpr = REACH + RADIUS
        d = tl.arange(0, BP) - EDGE
        rows, cols = (y + d)[:, None], (x + d)[None, :]
        mask = (rows >= 0) & (rows < H) & (cols >= 0) & (cols < W)
        mask = mask & (d <= EDGE)[:, None] & (d <= EDGE)[None, :]
        patch = cells(maps, flipped, at, mirror, rows, cols, mask, FLIP, SHIFT, W, STEP)
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
        step_x, step_y = (xy * gy - yy * gx) / safe, (xy * gx - xx * gy) / safe
        # Neither NaN nor infinite: a map with an infinity gives its cell.
        usable = usable & (tl.abs(step_x) < float("inf")) & (tl.abs(step_y) < float("inf"))
        step_x = tl.where(usable, step_x, 0.0)
        step_y = tl.where(usable, step_y, 0.0)
        step_x = tl.minimum(tl.maximum(step_x, -limit), limit)
        step_y = tl.minimum(tl.maximum(step_y, -limit), limit)
    tl.store(score + n, value)
    tl.store(place + n * 2, (x.to(tl.float32) + step_x) * scale_x + offset_x)
    tl.store(place + n * 2 + 1, (y.to(tl.float32) + step_y) * scale_y + offset_y)
