"""How large the people of a file are, and how constant their bones: tells a unit at a glance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posezoo.data.inspect.evidence import Evidence
from posezoo.skeleton import Skeleton


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One person, from the poses whose joints are all known."""

    height_mm: float  # ankle to head along the bones, legs and trunk stretched; 0: no such joints
    spread_mm: float  # standard deviation of its least constant bone


def measure_bodies(evidence: Evidence) -> dict[str, Body]:
    """Every person that has a pose with all joints in 3D, by name."""
    skeleton, known = evidence.skeleton, evidence.labelled3d.all(1)
    bones = np.array(skeleton.bones)
    bodies = {}
    for number, name in enumerate(evidence.names["subject"]):
        joints = evidence.joints3d_mm[known & (evidence.code["subject"] == number)]
        if len(joints):
            steps = joints[:, bones[:, 1]] - joints[:, bones[:, 0]]
            lengths = np.linalg.norm(steps.astype(np.float64), axis=-1)
            bodies[name] = Body(
                height_mm=_height(np.median(lengths, 0), skeleton),
                spread_mm=float(lengths.std(0).max()),
            )
    return bodies


def _height(
    lengths: NDArray[np.float64],  # (J - 1,) mm, of `skeleton.bones`
    skeleton: Skeleton,
) -> float:
    """The way from the middle of the ankles up to the top of the head."""
    to_parent = dict(zip((child for _, child in skeleton.bones), lengths, strict=True))

    def way(joint: str) -> float:
        at, length = skeleton.joints.index(joint), 0.0
        while at != skeleton.root and not skeleton.joints[at].endswith("_hip"):
            length += float(to_parent[at])
            at = skeleton.parents[at]
        return length

    if not {"left_ankle", "right_ankle", "head"} <= set(skeleton.joints):
        return 0.0
    return (way("left_ankle") + way("right_ankle")) / 2 + way("head")
