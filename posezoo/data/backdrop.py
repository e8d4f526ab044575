"""The room behind a drawn person: a floor in perspective, a wall, and a soft shadow on the floor.

Both surfaces are planes of the world seen by the camera (distortion left out: nothing is measured
on them), with tiles or boards, stains and, on the wall, posters, doors and windows.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from posezoo.data import draws
from posezoo.data.solids import cross, unit

Floats = NDArray[np.float64]
Picture = NDArray[np.float32]

_PANELS = 6
_STAIN_SIDE = 128  # cells of the tiling texture
_SHADED_BY = (0, 2, 3, 5, 6, 8, 10, 12, 15)  # joints that throw the shadow
_SHADE_MM = np.array([330, 200, 170, 200, 170, 360, 200, 170, 170], np.float32)


def draw_backdrop(
    joints: Floats,  # (N, 17, 3) mm, camera frame
    camera: Floats,  # (N, 10) parameters as posezoo.camera.Camera
    up: Floats,  # (N, 3) unit vector of the camera frame, against gravity
    sun: Floats,  # (N, 3) unit vector of the camera frame, to the light
    *,
    size: int,
    seed: int,
    index: NDArray[np.int64],  # (N,)
) -> Picture:  # (N, size, size, 3) RGB, about 0 to 1
    """Paint the rooms of N pictures."""
    count = len(joints)
    u = draws.uniform(seed, index, 40 + 8 * _PANELS, "backdrop")
    away = np.stack([np.zeros(count), np.zeros(count), np.ones(count)], 1)
    away = away - (away * up).sum(-1, keepdims=True) * up
    away = unit(away)
    side = cross(away, up)
    yaw = np.radians(70) * (u[:, :1] - 0.5)
    away, side = np.cos(yaw) * away + np.sin(yaw) * side, np.cos(yaw) * side - np.sin(yaw) * away
    below = -((joints * up[:, None]).sum(-1).min(1) - 60)
    behind = (joints * away[:, None]).sum(-1).max(1) + 400 + 3500 * u[:, 1] ** 2

    grid = np.arange(size, dtype=np.float32)
    ray_x = ((grid - camera[:, 2:3]) / camera[:, 0:1]).astype(np.float32)[:, None]
    ray_y = ((grid - camera[:, 3:4]) / camera[:, 1:2]).astype(np.float32)[:, :, None]

    def ray_dot(axis: Floats) -> Picture:  # (N, size, size)
        x, y, z = axis.astype(np.float32).T[:, :, None, None]
        return ray_x * x + (ray_y * y + z)

    ray_up, ray_away, ray_side = ray_dot(up), ray_dot(away), ray_dot(side)
    to_floor = ray_up * _per_picture(-1 / np.maximum(below, 100))
    to_wall = ray_away * _per_picture(1 / behind)
    is_floor = to_floor > to_wall
    distance = 1 / np.maximum(np.maximum(to_floor, to_wall), np.float32(2e-5))
    right = ray_side * distance
    other = np.where(is_floor, ray_away, ray_up) * distance

    pick = np.ones(is_floor.shape, np.int64)
    for k in range(_PANELS):
        v = u[:, 40 + 8 * k : 48 + 8 * k]
        centre, half = _per_picture(6000 * (v[:, 0] - 0.5)), _per_picture(120 + 700 * v[:, 1] ** 2)
        middle, tall = _per_picture(1600 * v[:, 2] - below), _per_picture(150 + 900 * v[:, 3] ** 2)
        in_panel = (np.abs(right - centre) < half) & (np.abs(other - middle) < tall)
        np.copyto(pick, 2 + k, where=in_panel)
    np.copyto(pick, 0, where=is_floor)
    grey = u[:, 2 : 2 + 2 + _PANELS, None]
    tint = u[:, 10 : 10 + 3 * 8].reshape(count, 8, 3)[:, : 2 + _PANELS]
    palette = 0.08 + 0.84 * (grey + 0.45 * (tint - grey))
    flat = pick + np.arange(count)[:, None, None] * (2 + _PANELS)
    picture = palette.reshape(-1, 3).astype(np.float32)[flat]

    tile = _per_picture(1 / (180 + 900 * u[:, 34]))
    lines = np.floor(right * tile * _per_picture(u[:, 35] < 0.5)) + np.floor(
        other * tile * _per_picture(u[:, 36] < 0.5)
    )
    contrast = _per_picture(0.35 * np.maximum(u[:, 37] - 0.35, 0))
    light = 1 + contrast * (lines - 2 * np.floor(lines / 2) - 0.5)
    light *= 1 + _per_picture(0.25 * (u[:, 38] - 0.5)) * ray_side * 4
    shadow = _shadow(
        joints, up=up, sun=sun, below=below, away=away, side=side, right=right, other=other
    )
    light *= 1 - 0.6 * is_floor * shadow
    finer = _per_picture(0.03 + 0.07 * u[:, 39])
    mask = _STAIN_SIDE - 1
    columns = (right * finer).astype(np.int32) & mask
    rows = (other * finer).astype(np.int32) & mask
    stains = _stains()[rows * _STAIN_SIDE + columns]
    picture *= light[..., None]
    picture += stains * _per_picture(0.01 + 0.1 * u[:, 33] ** 2)[..., None]
    return picture


def _shadow(
    joints: Floats, *, up: Floats, sun: Floats, below: Floats, away: Floats, side: Floats,
    right: Picture, other: Picture,
) -> Picture:  # (N, size, size) 0 to 1, where it is floor  # fmt: skip
    """Soft spots on the floor, each where the light through a joint falls."""
    height = (joints * up[:, None]).sum(-1) + below[:, None]
    steep = np.maximum((sun * up).sum(-1), 0.35)[:, None]
    fallen = joints - (height / steep)[..., None] * sun[:, None]
    x, y = (fallen * side[:, None]).sum(-1), (fallen * away[:, None]).sum(-1)
    dark = np.zeros_like(right)
    for joint, reach in zip(_SHADED_BY, _SHADE_MM, strict=True):
        dx, dy = right - _per_picture(x[:, joint]), other - _per_picture(y[:, joint])
        near = np.maximum(1 - (dx * dx + dy * dy) * (1 / reach**2), 0)
        dark += near * (1 - dark)
    return dark


def _per_picture(values: NDArray[np.generic]) -> Picture:  # (N, 1, 1)
    return values.astype(np.float32)[:, None, None]


@cache
def _stains() -> Picture:  # (side * side, 3) zero mean, standard deviation 1, tiles seamlessly
    """Noise of all sizes: amplitude falls with frequency, mostly grey with some colour."""
    random = np.random.Generator(np.random.PCG64(7))
    white = random.standard_normal((4, _STAIN_SIDE, _STAIN_SIDE))
    frequency = np.hypot(np.fft.fftfreq(_STAIN_SIDE)[:, None], np.fft.rfftfreq(_STAIN_SIDE)[None])
    frequency[0, 0] = np.inf
    smooth = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=white.shape[1:])
    smooth /= smooth.std((1, 2), keepdims=True)
    return (0.9 * smooth[:1] + 0.35 * smooth[1:]).reshape(3, -1).T.astype(np.float32).copy()
