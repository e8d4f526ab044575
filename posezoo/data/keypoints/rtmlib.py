"""RTMPose's people as rtmlib's arrays and MMPose's inferencer give them.

`keypoints` (K lists of x, y in px) and `scores` (rtmlib) or `keypoint_scores` (MMPose) of each
person; a picture is a list of people, a video a list of such lists, or of {frame_id, instances}.
MMPose's files hold the frames under `instance_info`, and the joints' names in `meta_info`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from posezoo.data.keypoints.fields import Floats, field, numbers
from posezoo.data.keypoints.joint_sets import HALPE_COUNTS, Joints, by_count, by_names
from posezoo.data.keypoints.keypoints import Ask, FoundPose, KeypointFile, KeypointFrame, pose_of

_SCORES = ("keypoint_scores", "scores")


def matches(content: Any) -> bool:
    """Whether a JSON file is laid out so."""
    if isinstance(content, Mapping):
        return "instance_info" in content or _is_person(content)
    return isinstance(content, list) and any(
        _is_person(each) or (isinstance(each, Mapping) and "instances" in each) or matches(each)
        for each in content[:50]
    )


def read(content: Any, ask: Ask) -> KeypointFile:
    """The people of every frame.

    Raises:
        ValueError: a field that is not as it should be.
    """
    names = _names(content)
    frames = content
    if "instance_info" in content:
        frames = field(content, "instance_info", list, str(ask.path))
    if isinstance(frames, Mapping):
        frames = [[frames]]
    elif frames and all(_is_person(each) for each in frames):
        frames = [frames]
    joints: Joints | None = None
    found = []
    for number, frame in enumerate(frames):
        where = f"{ask.path}: [{number}]"
        people: list[FoundPose] = []
        for each in _people(frame, where):
            rows = _rows(each, where)
            if joints is None:
                joints = _joints(names, len(rows), ask)
            if len(rows) != len(joints.places):
                raise ValueError(
                    f"{where}: {len(rows)} joints, the others have {len(joints.places)}"
                )
            people.append(pose_of(rows, joints, box_px=_box(each.get("bbox"), where)))
        found.append(KeypointFrame(name=str(number), people=tuple(people), size_px=ask.size_px))
    if joints is None:
        raise ValueError(f"{ask.path}: nobody in {len(found)} frames")
    return KeypointFile(
        tool="RTMPose (rtmlib, MMPose)",
        skeleton=joints.skeleton,
        frames=tuple(found),
        video=len(found) > 1,
        notes=(joints.note,) if joints.note else (),
    )


def _people(frame: Any, where: str) -> list[Any]:
    if isinstance(frame, list):
        return frame
    return [frame] if _is_person(frame) else field(frame, "instances", list, where)


def _joints(names: list[str], count: int, ask: Ask) -> Joints:
    if len(names) == count:
        return by_names(names, ask.path, ask.joints)
    return by_count(count, HALPE_COUNTS, ask.path, ask.joints, "RTMPose")


def _names(content: Any) -> list[str]:
    """From `meta_info.keypoint_id2name`, {"0": "nose", ...}."""
    meta = content.get("meta_info") if isinstance(content, Mapping) else None
    table = meta.get("keypoint_id2name") if isinstance(meta, Mapping) else None
    if not isinstance(table, Mapping) or not all(str(key).isdigit() for key in table):
        return []
    return [str(table[key]) for key in sorted(table, key=int)]


def _rows(person: Any, where: str) -> Floats:  # (K, 3)
    px = numbers(field(person, "keypoints", list, where), (None, 2), f"{where}: keypoints")
    key = next((key for key in _SCORES if key in person), None)
    if key is None:
        return np.column_stack([px, np.ones(len(px))])
    return np.column_stack([px, numbers(person[key], (len(px),), f"{where}: {key}")])


def _box(value: Any, where: str) -> Floats | None:
    """MMPose: x1, y1, x2, y2, in a list of its own."""
    if value is None:
        return None
    nested = isinstance(value, list) and len(value) == 1
    x1, y1, x2, y2 = numbers(value[0] if nested else value, (4,), f"{where}: bbox")
    return np.array([x1, y1, x2 - x1, y2 - y1])


def _is_person(each: Any) -> bool:
    return (
        isinstance(each, Mapping)
        and isinstance(each.get("keypoints"), list)
        and bool(each["keypoints"])
        and isinstance(each["keypoints"][0], list)
    )
