"""The room behind a drawn person: a floor in perspective, a wall, and a soft shadow on the floor.

Both surfaces are planes of the world seen by the camera (distortion left out: nothing is measured
on them), with tiles or boards, stains and, on the wall, posters, doors and windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from posezoo.data import counter_random
from posezoo.data.scene.solids import unit

Floats = NDArray[np.float64]
Picture = NDArray[np.float32]

_SOLE_MM = 60.0  # of the floor under the lowest joint
_PANELS = 6
_FLOOR, _WALL, _FIRST_PANEL = 0, 1, 2
_PAINTS = _FIRST_PANEL + _PANELS
_STAIN_SIDE = 128  # cells of the tiling texture
_SHADE_MM = {0: 330, 2: 200, 3: 170, 5: 200, 6: 170, 8: 360, 10: 200, 12: 170, 15: 170}  # of joints


@dataclass(frozen=True, slots=True)
class _Room:
    """What N cameras see of floor and wall; positions are in mm from below the camera."""

    up: Floats  # (N, 3) unit vector of the camera frame
    away: Floats  # (N, 3) across the wall, level
    side: Floats  # (N, 3) along the wall, level
    below: Floats  # (N,) mm of the floor under the camera
    is_floor: NDArray[np.bool_]  # (N, size, size), otherwise wall
    right: Picture  # (N, size, size) mm along the wall
    other: Picture  # (N, size, size) mm away on the floor, upwards on the wall


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
    turn, gap, slope, *tiles, stain, grain = counter_random.uniform(seed, index, 9, "backdrop").T
    room = _build(joints, camera, up, size=size, turn=turn, gap=gap)
    paint = _panels(room, counter_random.uniform(seed, index, 4 * _PANELS, "backdrop/panels"))
    tones = counter_random.uniform(seed, index, 4 * _PAINTS, "backdrop/paints").reshape(
        -1, _PAINTS, 4
    )
    palette = 0.08 + 0.84 * (0.55 * tones[..., :1] + 0.45 * tones[..., 1:])
    paint += np.arange(len(joints))[:, None, None] * _PAINTS
    picture: Picture = palette.reshape(-1, 3).astype(np.float32)[paint]

    light = _tiles(room, *tiles)
    light *= 1 + _each(slope - 0.5) * np.linspace(-0.5, 0.5, size, dtype=np.float32)
    light *= 1 - 0.6 * room.is_floor * _shadow(room, joints, sun)
    cells_per_mm = _each(0.03 + 0.07 * grain)
    column = (room.right * cells_per_mm).astype(np.int32) % _STAIN_SIDE
    row = (room.other * cells_per_mm).astype(np.int32) % _STAIN_SIDE
    picture *= light[..., None]
    picture += _stains()[row * _STAIN_SIDE + column] * _each(0.01 + 0.1 * stain**2)[..., None]
    return picture


def _build(
    joints: Floats, camera: Floats, up: Floats, *, size: int, turn: Floats, gap: Floats
) -> _Room:
    """A floor under the lowest joint and a wall behind the farthest, askew by up to 35 degrees."""
    ahead = unit(np.array([[0.0, 0.0, 1.0]]) - up[:, 2:] * up)
    across = np.cross(ahead, up)
    yaw = np.radians(70) * (turn[:, None] - 0.5)
    away = np.cos(yaw) * ahead + np.sin(yaw) * across
    side = np.cos(yaw) * across - np.sin(yaw) * ahead
    below = np.maximum(_SOLE_MM - (joints * up[:, None]).sum(-1).min(1), 100.0)
    behind = np.maximum((joints * away[:, None]).sum(-1).max(1), 0.0) + 400 + 3500 * gap**2

    grid = np.arange(size)
    ray_x = ((grid - camera[:, 2:3]) / camera[:, 0:1]).astype(np.float32)[:, None]
    ray_y = ((grid - camera[:, 3:4]) / camera[:, 1:2]).astype(np.float32)[:, :, None]

    def ray_dot(axis: Floats) -> Picture:  # (N, size, size)
        x, y, z = (_each(each) for each in axis.T)
        return ray_x * x + (ray_y * y + z)

    ray_up, ray_away = ray_dot(up), ray_dot(away)
    to_floor, to_wall = ray_up * _each(-1 / below), ray_away * _each(1 / behind)
    is_floor = to_floor > to_wall
    distance = 1 / np.maximum(np.maximum(to_floor, to_wall), np.float32(2e-5))
    right = ray_dot(side) * distance
    other = np.where(is_floor, ray_away, ray_up) * distance
    return _Room(up, away, side, below, is_floor, right, other)


def _panels(room: _Room, u: Floats) -> NDArray[np.int64]:  # (N, size, size) of _PAINTS
    """Which paint is where: floor, wall, or a rectangle on the wall."""
    paint = np.full(room.right.shape, _WALL)
    for k in range(_PANELS):
        x, half, y, tall = u[:, 4 * k : 4 * k + 4].T
        beside = np.abs(room.right - _each(6000 * (x - 0.5))) < _each(120 + 700 * half**2)
        level = np.abs(room.other - _each(1600 * y - room.below)) < _each(150 + 900 * tall**2)
        np.copyto(paint, _FIRST_PANEL + k, where=beside & level)
    np.copyto(paint, _FLOOR, where=room.is_floor)
    return paint


def _tiles(
    room: _Room, tile: Floats, columns: Floats, rows: Floats, contrast: Floats
) -> Picture:  # (N, size, size) about 1
    """Squares, boards or nothing, lighter and darker in turn."""
    per_mm = 1 / (180 + 900 * tile)
    number: Picture = np.floor(room.right * _each(per_mm * (columns < 0.5)))
    number += np.floor(room.other * _each(per_mm * (rows < 0.5)))
    number -= 2 * np.floor(number / 2) + np.float32(0.5)
    number *= _each(0.35 * np.maximum(contrast - 0.35, 0))
    number += 1
    return number


def _shadow(room: _Room, joints: Floats, sun: Floats) -> Picture:  # (N, size, size), 0 to 1
    """Soft spots, each where the light past a joint falls on the floor."""
    height = (joints * room.up[:, None]).sum(-1) + room.below[:, None]
    steep = np.maximum((sun * room.up).sum(-1), 0.35)[:, None]
    fallen = joints - (height / steep)[..., None] * sun[:, None]
    right, away = ((fallen * axis[:, None]).sum(-1) for axis in (room.side, room.away))
    dark = np.zeros_like(room.right)
    for joint, reach_mm in _SHADE_MM.items():
        dx, dy = room.right - _each(right[:, joint]), room.other - _each(away[:, joint])
        near = np.maximum(1 - (dx * dx + dy * dy) * np.float32(reach_mm**-2), 0)
        dark += near * (1 - dark)
    return dark


def _each(values: Floats) -> Picture:  # (N, 1, 1)
    """A number for each picture, to go with its pixels."""
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
