"""Solid rods on a picture: for each pixel, which rod is in front, and which part of its surface.

A rod is a ball swept along a line while its radius goes from one number to another: a limb, a
head (a short rod), a pole. It is drawn in the picture plane between its ends' true projections,
so that lens distortion moves it as it moves joints; depth along it is in perspective. All rods of
all pictures go through numpy together, row by row of pixels and then pixel by pixel: no loop over
pictures or rods. Pixel centres are integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_NEAREST_MM = 200.0  # rods that come closer to the camera are not drawn


@dataclass(frozen=True, slots=True)
class Rods:
    """P rods on each of N pictures; ends as the camera sees them."""

    ends_px: Floats  # (N, P, 2, 2) px
    depth_mm: Floats  # (N, P, 2) z of the ends' centres
    radius_px: Floats  # (N, P, 2) at the ends; 0 or less: no rod
    radius_mm: Floats  # (N, P) the mean of both ends


@dataclass(frozen=True, slots=True)
class Surface:
    """The K pixels that show a rod."""

    pixel: Ints  # (K,) picture * size * size + y * size + x
    rod: Ints  # (K,) picture * P + rod
    along: Floats  # (K,) 0 at the first end to 1 at the second
    across: Floats  # (K, 2) from the rod's line, in radii: x right, y down
    towards: Floats  # (K,) the surface's rise towards the camera, in radii
    depth_mm: Floats  # (N * size * size,) of every pixel's front surface, infinite where none


def rasterise(rods: Rods, size: int) -> Surface:
    """Find what each pixel of N square pictures of `size` px shows."""
    first, last = rods.ends_px[:, :, 0].reshape(-1, 2), rods.ends_px[:, :, 1].reshape(-1, 2)
    radius = rods.radius_px.reshape(-1, 2)
    step = last - first
    widest = radius.max(-1)
    low = np.floor(np.minimum(first, last) - widest[:, None] + 1)
    high = np.ceil(np.maximum(first, last) + widest[:, None])
    low, high = np.clip(low, 0, size).astype(np.int64), np.clip(high, 0, size).astype(np.int64)
    drawn = (high > low).all(1) & (radius.min(1) > 0)
    drawn &= (rods.depth_mm > _NEAREST_MM).all(-1).reshape(-1)

    # Rows: where the rod can be on each, from the part of its line within a radius of the row.
    rod, y = _ranges(low[:, 1], np.where(drawn, high[:, 1], low[:, 1]))
    y32 = y.astype(np.float32)
    rise = step[rod, 1]
    rise = np.where(np.abs(rise) < 1e-3, np.float32(1e-3), rise)
    down, reach = y32 - first[rod, 1], widest[rod]
    enter, leave = (down - reach) / rise, (down + reach) / rise
    run, start = step[rod, 0], first[rod, 0]
    x_enter = start + np.clip(enter, 0, 1) * run
    x_leave = start + np.clip(leave, 0, 1) * run
    left = np.ceil(np.minimum(x_enter, x_leave) - reach)
    right = np.floor(np.maximum(x_enter, x_leave) + reach) + 1
    left = np.clip(left, 0, size).astype(np.int64)
    right = np.clip(right, 0, size).astype(np.int64)

    # Pixels: the nearest point of the line, and whether the ball there reaches them.
    row, x = _ranges(left, np.maximum(left, right))
    length2 = np.maximum((step * step).sum(1), np.float32(1e-6))
    slope, taper = (step[:, 0] / length2)[rod], (radius[:, 1] - radius[:, 0])[rod]
    offset = (down * step[rod, 1] - start * run) / length2[rod]
    x32 = x.astype(np.float32)
    along = np.clip(offset[row] + x32 * slope[row], 0, 1)
    across_x = x32 - start[row] - along * run[row]
    across_y = down[row] - along * step[rod, 1][row]
    here = radius[rod, 0][row] + along * taper[row]
    height2 = 1 - (across_x * across_x + across_y * across_y) / (here * here)
    inside = np.flatnonzero(height2 > 0)

    row, along, here = row[inside], along[inside], here[inside]
    across = np.stack([across_x[inside] / here, across_y[inside] / here], 1)
    towards = np.sqrt(height2[inside])
    rod_of = rod[row]
    inverse = (1 / rods.depth_mm.reshape(-1, 2)).astype(np.float32)
    middle = inverse[rod_of, 0] + along * (inverse[:, 1] - inverse[:, 0])[rod_of]
    depth = 1 / middle - rods.radius_mm.reshape(-1)[rod_of] * towards
    count, per_picture = rods.ends_px.shape[:2]
    pixel = (rod_of // per_picture) * (size * size) + y[row] * size + x[inside]
    front = np.full(count * size * size, np.inf, np.float32)
    np.minimum.at(front, pixel, depth)
    shown = np.flatnonzero(depth == front[pixel])
    return Surface(pixel[shown], rod_of[shown], along[shown], across[shown], towards[shown], front)


def _ranges(start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """(which, value) of all integers of the ranges, one range after the other."""
    lengths = stop - start
    which = np.repeat(np.arange(len(lengths)), lengths)
    before = np.cumsum(lengths) - lengths
    return which, np.arange(len(which)) - np.repeat(before - start, lengths)
