"""Where a prediction can be wrong, in words for the person who reads it.

Each warning begins with a fixed word or two before a colon. The limits come from photographs
(docs/prediction.md): below a third of the picture's side most people are found badly or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.inference.lifting import Joints2d
from posezoo.skeleton import Skeleton

Floats: TypeAlias = NDArray[np.float64]

SMALL = 1 / 3  # longer side of the box over that of the picture
UNSURE_PERSON = 0.5  # score
UNSURE_JOINT = 0.3  # confidence
_TURNED = 0.15  # of the trunk's length: hips or shoulders that wide have a left and a right side


def warnings_of(
    joints: Joints2d,
    skeleton: Skeleton,
    *,
    box_px: Floats,  # (4,) x, y, width, height
    score: float,
    lifted: bool = False,  # there is 3D of the person
    sides_unsure: bool = False,  # the detector's own word
    width: int,
    height: int,
) -> Iterator[str]:
    """Every reason to doubt what was found of a person."""
    share = float(max(box_px[2:]) / max(width, height))
    if share < SMALL:
        yield f"small: {share:.0%} of the picture's longer side; crop the picture to the person"
    known = np.isfinite(joints.px).all(-1)
    if not known.all():
        lacking = f"nothing says where {_names(skeleton, ~known)} is"
        yield f"unseen: {lacking}, so the 3D is a guess there" if lifted else f"no 3D: {lacking}"
    if score < UNSURE_PERSON:
        yield f"low confidence: {score:.2f} that this is a person"
    if (doubtful := known & (joints.confidence < UNSURE_JOINT)).any():
        yield f"low confidence: {_names(skeleton, doubtful)}"
    edge = np.array([width, height]) - 0.5
    outside = known & ((joints.px < -0.5) | (joints.px >= edge)).any(-1)
    if outside.any():
        feet = [j for j in np.flatnonzero(outside) if skeleton.joints[j].endswith("_ankle")]
        what = "feet outside" if feet else "outside"
        yield f"{what}: {_names(skeleton, outside)} not in the picture, so guessed"
    if sides_unsure:
        yield "left and right unsure: a second look, in a mirror, took the other side"
    elif _crossed(joints.px, skeleton):
        yield "left and right unsure: hips and shoulders disagree on which side is which"


def _names(skeleton: Skeleton, chosen: Any) -> str:  # (J,) bool
    return ", ".join(name for name, yes in zip(skeleton.joints, chosen, strict=True) if yes)


def _crossed(px: Floats, skeleton: Skeleton) -> bool:
    """Whether hips and shoulders point to opposite sides, which no trunk can do."""
    names = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    if any(name not in skeleton.joints for name in names):
        return False
    left_hip, right_hip, left_shoulder, right_shoulder = (
        px[skeleton.joints.index(name)] for name in names
    )
    trunk = (left_shoulder + right_shoulder - left_hip - right_hip) / 2
    length = np.linalg.norm(trunk)
    if not length > 0:
        return False
    across = np.array([-trunk[1], trunk[0]]) / length
    hips = (left_hip - right_hip) @ across / length
    shoulders = (left_shoulder - right_shoulder) @ across / length
    return bool(hips * shoulders < 0 and min(abs(hips), abs(shoulders)) > _TURNED)
