"""Invented people: bone lengths of a person, and joints from joint angles.

`bone_lengths` gives person number n the same body everywhere and always. `stand_up` turns joint
angles into joints by forward kinematics and puts the lowest point of the body on the floor.
Lengths follow a typical Human3.6M skeleton scaled to statures of 1.50 to 1.95 m, with the shape
of the sexes and some individual variation.

Body frame: x forward, y left, z up. An angle of 0 everywhere is standing straight with hanging
arms. Knees and elbows are hinges of one direction: their limits start at 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posezoo.data import counter_random

Array = NDArray[np.float64]

SHORTEST_MM, TALLEST_MM = 1500.0, 1950.0
ANKLE_MM = 80.0  # of the ankle's centre above the sole

_SIDE_LIMITS = {
    "shrug": (-10, 35),  # shoulder up
    "protract": (-20, 35),  # shoulder forward
    "plane": (-60, 135),  # where the upper arm is lifted to: 0 sideways, 90 forward
    "lift": (-55, 175),  # of the upper arm, from hanging; negative: to the opposite of `plane`
    "turn": (-90, 90),  # of the upper arm about itself, inwards positive
    "elbow": (0, 150),
    "hip": (-25, 130),  # flexion: thigh forward
    "spread": (-25, 55),  # thigh sideways, outwards positive
    "twist": (-40, 60),  # of the thigh about itself, outwards positive
    "knee": (0, 155),
}
LIMITS_DEG = {
    "pitch": (-180, 180),  # of the pelvis: forwards
    "lean": (-180, 180),  # of the pelvis: to the right
    "spin": (-180, 180),  # of the pelvis about the spine: to the left
    "bow": (-35, 75),  # of the spine: forwards
    "bend": (-35, 35),  # of the spine: to the right
    "wring": (-45, 45),  # of the spine: to the left
    "nod": (-50, 55),  # of neck and head: forwards
    "tilt": (-40, 40),  # of neck and head: to the right
    "look": (-75, 75),  # of neck and head: to the left
    **{f"left_{name}": limits for name, limits in _SIDE_LIMITS.items()},
    **{f"right_{name}": limits for name, limits in _SIDE_LIMITS.items()},
}
ANGLES = tuple(LIMITS_DEG)
COLUMN = {name: column for column, name in enumerate(ANGLES)}
_LEFT, _RIGHT = ([COLUMN[f"{side}_{name}"] for name in _SIDE_LIMITS] for side in ("left", "right"))
_LATERAL = [COLUMN[name] for name in ("lean", "spin", "bend", "wring", "tilt", "look")]
_LOW, _HIGH = np.radians(np.array(list(LIMITS_DEG.values()), np.float64)).T

# One side's bones in the order pelvis-hip, hip-knee, knee-ankle, pelvis-spine, spine-thorax,
# thorax-neck, neck-head, thorax-shoulder, shoulder-elbow, elbow-wrist, mm.
_TYPICAL_MM = np.array([133.0, 443.0, 454.0, 233.0, 257.0, 121.0, 115.0, 151.0, 279.0, 252.0])
_UPRIGHT = np.array([1, 2, 3, 4, 5, 6])  # those that make up the stature, with the ankle's height
_WOMAN = np.array([1.03, 1.0, 0.99, 1.01, 0.99, 0.96, 0.98, 0.93, 0.98, 0.96])
_OF_JOINT = np.array([0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 8, 9])  # joints 1 to 16
_FLESH_MM = np.array(
    [95, 90, 55, ANKLE_MM, 90, 55, ANKLE_MM, 95, 75, 70, 5, 60, 40, 35, 60, 40, 35], np.float64
)


def bone_lengths(
    person: NDArray[np.int64],  # (N,) any number >= 0 is a person
) -> Array:  # (N, 16) mm, of joints 1 to 16
    """The bones of a person: the same for the same number, whatever the seed of a dataset."""
    u = counter_random.uniform(0, person, 24, "person/body")
    woman = u[:, 0] < 0.5
    bell = u[:, 1:4].sum(1) * 2 - 3  # near normal, standard deviation 1, never beyond 3
    stature = np.clip(np.where(woman, 1640.0, 1765.0) + 70 * bell, SHORTEST_MM, TALLEST_MM)
    lengths = _TYPICAL_MM * np.where(woman[:, None], _WOMAN, 1.0)
    lengths = lengths * (1 + 0.05 * (u[:, 4:14] - 0.5))
    lengths[:, 1:3] *= 1 + 0.07 * (u[:, 14:15] - 0.5)  # long legs, long arms, broad shoulders
    lengths[:, 8:] *= 1 + 0.08 * (u[:, 15:16] - 0.5)
    lengths[:, 7] *= 1 + 0.2 * (u[:, 16] - 0.5)
    lengths *= ((stature - ANKLE_MM) / lengths[:, _UPRIGHT].sum(1))[:, None]
    return lengths[:, _OF_JOINT]


def within_limits(
    angles: Array,  # (N, A) rad, columns as ANGLES
) -> Array:  # (N, A) rad
    """Angles moved to the nearest that an able body reaches."""
    return np.clip(angles, _LOW, _HIGH)


def mirrored(
    angles: Array,  # (N, A) rad
) -> Array:  # (N, A) rad
    """The same pose with left and right exchanged."""
    swapped = angles.copy()
    swapped[:, _LEFT], swapped[:, _RIGHT] = angles[:, _RIGHT], angles[:, _LEFT]
    swapped[:, _LATERAL] *= -1
    return swapped


def stand_up(
    angles: Array,  # (N, A) rad, columns as ANGLES
    bones: Array,  # (N, 16) mm
) -> Array:  # (N, 17, 3) mm, world frame, z up, pelvis above the origin, lowest flesh at z = 0
    """Joints of bodies with these angles, resting on the floor."""
    angle = {name: angles[:, column] for name, column in COLUMN.items()}
    pelvis = _about("y", angle["pitch"]) @ _about("x", angle["lean"]) @ _about("z", angle["spin"])
    joints = np.zeros((len(angles), 17, 3))

    def grow(child: int, parent: int, frame: Array, *direction: float) -> None:
        step = frame @ (np.array(direction) / np.linalg.norm(direction))
        step *= bones[:, child - 1, None]
        joints[:, child] = joints[:, parent] + step

    half_spine = _turned(angle["bow"] / 2, angle["bend"] / 2, angle["wring"] / 2)
    half_neck = _turned(angle["nod"] / 2, angle["tilt"] / 2, angle["look"] / 2)
    loins = pelvis @ half_spine
    chest = loins @ half_spine
    nape = chest @ half_neck
    skull = nape @ half_neck
    grow(7, 0, loins, -0.05, 0.0, 1.0)
    grow(8, 7, chest, 0.0, 0.0, 1.0)
    grow(9, 8, nape, 0.36, 0.0, 1.0)
    grow(10, 9, skull, -0.05, 0.0, 1.0)

    for side, y, (hip, knee, ankle), (shoulder, elbow, wrist) in (
        ("left", 1.0, (4, 5, 6), (11, 12, 13)),
        ("right", -1.0, (1, 2, 3), (14, 15, 16)),
    ):
        one = {name: angle[f"{side}_{name}"] for name in _SIDE_LIMITS}
        thigh = pelvis @ _about("y", -one["hip"]) @ _about("x", y * one["spread"])
        thigh = thigh @ _about("z", y * one["twist"])
        grow(hip, 0, pelvis, 0.0, y, 0.0)
        grow(knee, hip, thigh, 0.0, 0.0, -1.0)
        grow(ankle, knee, thigh @ _about("y", one["knee"]), 0.0, 0.0, -1.0)
        girdle = chest @ _about("z", -y * one["protract"]) @ _about("x", y * one["shrug"])
        arm = chest @ _swung(y * one["plane"], one["lift"], y) @ _about("z", -y * one["turn"])
        grow(shoulder, 8, girdle, 0.0, y, -0.21)
        grow(elbow, shoulder, arm, 0.0, 0.0, -1.0)
        grow(wrist, elbow, arm @ _about("y", -one["elbow"]), 0.0, 0.0, -1.0)

    joints[..., 2] -= (joints[..., 2] - _FLESH_MM).min(1)[:, None]
    return joints


def _turned(forwards: Array, to_the_right: Array, to_the_left: Array) -> Array:
    return _about("y", forwards) @ _about("x", to_the_right) @ _about("z", to_the_left)


def _swung(plane: Array, lift: Array, side: float) -> Array:  # (N, 3, 3)
    """The smallest rotation of a hanging arm by `lift` towards `plane` (0 sideways, 90 forward)."""
    turn = _about("z", -plane)
    return turn @ _about("x", side * lift) @ turn.swapaxes(-1, -2)


def _about(axis: str, angle: Array) -> Array:  # (N, 3, 3)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, [0, 1, 2], [0, 1, 2]] = 1.0
    matrix[:, first, first] = matrix[:, second, second] = np.cos(angle)
    matrix[:, second, first] = np.sin(angle)
    matrix[:, first, second] = -matrix[:, second, first]
    return matrix
