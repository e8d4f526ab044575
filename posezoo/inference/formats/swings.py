"""Rotations of bones from where their ends lie, and their angles; all frames at once."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_TINY = 1e-9


def swing(
    start: Floats,  # (F, 3) any length but 0
    end: Floats,  # (F, 3)
) -> Floats:  # (F, 3, 3)
    """The shortest turn that brings one direction onto another.

    Where they are opposite every way round is as short; one at a right angle is taken. A bone
    without length does not turn.
    """
    a, b = _unit(start), _unit(end)
    axis = np.cross(a, b)
    cosine = (a * b).sum(-1)[:, None, None]
    cross = _cross_matrix(axis)
    eye = np.eye(3)
    turn = eye + cross + cross @ cross / np.maximum(1 + cosine, _TINY)
    opposite = cosine[:, 0, 0] < -1 + _TINY
    if opposite.any():
        least = np.eye(3)[np.abs(a[opposite]).argmin(-1)]
        side = _unit(np.cross(a[opposite], least))
        turn[opposite] = 2 * side[:, :, None] * side[:, None, :] - eye
    turn[~np.any(b, -1)] = eye
    return turn


def across_up(
    up: Floats,  # (F, 3) where y goes
    across: Floats,  # (F, 3) about where x goes: made square with `up`
) -> Floats:  # (F, 3, 3)
    """The turn that brings y along one direction and x as near as can be to another.

    Where the two are parallel, or one has no length, x is not told, and y swings alone.
    """
    y = _unit(up)
    z = np.cross(_unit(across), y)
    flat = np.linalg.norm(z, axis=-1) < 1e-6
    z = _unit(z)
    turn = np.stack([np.cross(y, z), y, z], -1)
    if flat.any():
        turn[flat] = swing(np.tile([0.0, 1.0, 0.0], (int(flat.sum()), 1)), up[flat])
    return turn


def euler_zxy(
    turn: Floats,  # (F, 3, 3)
) -> Floats:  # (F, 3) degrees
    """Angles about z, x and y with R = Rz Rx Ry, without jumps from frame to frame.

    Every turn has two such triples and each angle any number of full turns more: of these the one
    next to the frame before is taken.
    """
    rest = np.hypot(turn[:, 2, 0], turn[:, 2, 2])
    x = np.arctan2(turn[:, 2, 1], rest)
    locked = rest < 1e-6  # z and y turn about one axis: all is given to z
    z = np.where(
        locked,
        np.arctan2(turn[:, 1, 0], turn[:, 0, 0]),
        np.arctan2(-turn[:, 0, 1], turn[:, 1, 1]),
    )
    y = np.where(locked, 0.0, np.arctan2(-turn[:, 2, 0], turn[:, 2, 2]))
    angles = np.degrees(np.stack([z, x, y], -1))
    for frame in range(1, len(angles)):
        before, first = angles[frame - 1], angles[frame]
        second = np.array([first[0] + 180, 180 - first[1], first[2] + 180])
        choices = [each - 360 * np.round((each - before) / 360) for each in (first, second)]
        angles[frame] = min(choices, key=lambda each: np.abs(each - before).max())
    return angles


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > _TINY, vectors / np.maximum(length, _TINY), 0.0)


def _cross_matrix(axis: Floats) -> Floats:  # (F, 3) -> (F, 3, 3)
    matrix = np.zeros((*axis.shape, 3))
    x, y, z = axis.T
    matrix[:, 0, 1], matrix[:, 0, 2] = -z, y
    matrix[:, 1, 0], matrix[:, 1, 2] = z, -x
    matrix[:, 2, 0], matrix[:, 2, 1] = -y, x
    return matrix
