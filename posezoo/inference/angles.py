"""Angles of joints: between the bones that meet there, in degrees, from 3D alone.

180 is a straight knee or elbow. A hip is the angle from the trunk (to the shoulder of its side) to
the thigh: 180 standing, 90 sitting. A shoulder is the angle from the trunk (to the hip of its side)
to the upper arm: near 0 with a hanging arm, 180 with a raised one. One angle for each joint: not
the flexion, abduction and rotation of biomechanics, which 17 joints cannot tell apart safely.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.skeleton import Skeleton

Floats: TypeAlias = NDArray[np.float64]

_BETWEEN = {  # the angle at the middle one
    "knee": ("hip", "knee", "ankle"),
    "hip": ("shoulder", "hip", "knee"),
    "elbow": ("shoulder", "elbow", "wrist"),
    "shoulder": ("hip", "shoulder", "elbow"),
}


def joint_angles(
    joints3d: Floats,  # (..., J, 3) mm, any frame
    skeleton: Skeleton,
) -> dict[str, Floats]:  # (...) degrees, by name
    """The angles that the joint set tells; NaN where a bone has no length or is not known."""
    angles = {}
    for joint, names in _BETWEEN.items():
        for side in ("left", "right"):
            sided = [f"{side}_{name}" for name in names]
            if not set(sided) <= set(skeleton.joints):
                continue
            start, at, end = (joints3d[..., skeleton.joints.index(name), :] for name in sided)
            angles[f"{side} {joint}"] = _between(start - at, end - at)
    return angles


def _between(one: Floats, other: Floats) -> Floats:
    """By atan2, which is exact near 0 and 180 too, where the cosine is flat."""
    sine = np.linalg.norm(np.cross(one, other), axis=-1)
    cosine = (one * other).sum(-1)
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    angle: Floats = np.where(lengths > 0, np.degrees(np.arctan2(sine, cosine)), np.nan)
    return angle
