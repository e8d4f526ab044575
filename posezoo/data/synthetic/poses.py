"""Taking up poses: joint angles drawn from the tables of `activities`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posezoo.data import counter_random
from posezoo.data.synthetic.activities import ACTIVITIES, ARMS, STRAYS, Activity, Table
from posezoo.data.synthetic.body import ANGLES, COLUMN, Array, mirrored, within_limits

_SIDES = ("left", "right")
_MOVES_EACH = 4


def pose(
    seed: int,
    index: NDArray[np.int64],  # (N,)
) -> tuple[Array, NDArray[np.int64]]:  # angles (N, A) rad, activity (N,)
    """Take up one pose for each index, all angles within the limits of the body.

    Columns of angles are as `body.ANGLES`; an activity is a row of `activities.ACTIVITIES`.
    """
    count = len(ANGLES)
    u = counter_random.uniform(seed, index, 2 * count + 12, "pose")
    stray = u[:, :count] + u[:, count : 2 * count] - 1  # triangular in -1 to 1
    pick, mirror, arm, arms_alike, phase, size = u[:, 2 * count : 2 * count + 6].T
    other_arm = u[:, 2 * count + 6]
    free = 2 * u[:, 2 * count + 7 : 2 * count + 7 + _MOVES_EACH] - 1

    activity = np.searchsorted(_CUMULATIVE, pick, side="right")
    turn = 2 * np.pi * phase
    cycle = np.stack([np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)], 1)
    latent = np.where(_CYCLIC[activity, None], cycle * (0.55 + 0.65 * size[:, None]), free)
    strays = stray * _STRAY[activity]
    angles = _MEAN[activity] + strays + (latent[:, :, None] * _MOVES[activity]).sum(1)

    choices = _ARM_CHOICES[activity]
    rows = np.arange(len(angles))
    first = choices[rows, (arm * _ARM_COUNT[activity]).astype(np.int64)]
    second = choices[rows, (other_arm * _ARM_COUNT[activity]).astype(np.int64)]
    second = np.where(arms_alike < 0.5, first, second)
    for side, style in zip(_SIDES, (first, second), strict=True):
        columns = _ARM_COLUMNS[side]
        drawn = _ARM_MEAN[style] + stray[:, columns] * _ARM_STRAY[style]
        angles[:, columns] = np.where(style[:, None] < 0, angles[:, columns], drawn)

    angles = within_limits(np.radians(angles))
    return np.where(mirror[:, None] < 0.5, mirrored(angles), angles), activity


def cycle(
    name: str,
    phase: Array,  # (N,) rad; 2 pi is once round
) -> Array:  # (N, A) rad
    """An activity with a cycle, such as "walk", as it comes without strays or arms of others."""
    (row,) = (k for k, each in enumerate(ACTIVITIES) if each.name == name and each.cyclic)
    turns = np.stack([np.sin(phase), np.cos(phase), np.sin(2 * phase), np.cos(2 * phase)], 1)
    return within_limits(np.radians(_MEAN[row] + turns @ _MOVES[row]))


def _row(*tables: Table) -> Array:  # (A,) degrees; later tables win
    row = np.zeros(len(ANGLES))
    for table in tables:
        for name, degrees in table.items():
            for full in (name,) if name in COLUMN else tuple(f"{side}_{name}" for side in _SIDES):
                row[COLUMN[full]] = degrees
    return row


def _padded(moves: tuple[Table, ...]) -> Array:  # (4, A)
    return np.stack([_row(*moves[k : k + 1]) for k in range(_MOVES_EACH)])


def _choices(activity: Activity) -> list[int]:  # rows of ARMS, -1 for "own"; filled up with -1
    styles = [-1 if arm == "own" else tuple(ARMS).index(arm) for arm in activity.arms]
    return styles + [-1] * (max(len(each.arms) for each in ACTIVITIES) - len(styles))


_ARM_ANGLES = ("plane", "lift", "turn", "elbow")
_ARM_COLUMNS = {side: [COLUMN[f"{side}_{name}"] for name in _ARM_ANGLES] for side in _SIDES}
_ARM_MEAN = np.stack([_row(mean)[_ARM_COLUMNS["left"]] for mean, _ in ARMS.values()])
_ARM_STRAY = np.stack([_row(STRAYS, own)[_ARM_COLUMNS["left"]] for _, own in ARMS.values()])
_ARM_CHOICES = np.array([_choices(activity) for activity in ACTIVITIES])
_ARM_COUNT = np.array([len(activity.arms) for activity in ACTIVITIES])
_SHARES = np.array([activity.share for activity in ACTIVITIES])
_CUMULATIVE = np.cumsum(_SHARES / _SHARES.sum())[:-1]
_CYCLIC = np.array([activity.cyclic for activity in ACTIVITIES])
_MEAN = np.stack([_row(activity.mean) for activity in ACTIVITIES])
_STRAY = np.stack([_row(STRAYS, activity.strays) for activity in ACTIVITIES])
_MOVES = np.stack([_padded(activity.moves) for activity in ACTIVITIES])
