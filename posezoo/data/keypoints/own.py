"""posezoo's own JSON: what the detector found, as it found it (docs/prediction_files.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from posezoo.data.keypoints.fields import field, numbers
from posezoo.data.keypoints.joint_sets import Joints
from posezoo.data.keypoints.keypoints import Ask, FoundPose, KeypointFile, KeypointFrame, pose_of
from posezoo.skeleton import get_skeleton


def matches(content: Any) -> bool:
    """Whether a JSON file is laid out so."""
    return isinstance(content, Mapping) and "posezoo" in content


def read(content: Any, ask: Ask) -> KeypointFile:
    """The people of every frame.

    Raises:
        ValueError: a field that is not as it should be, or nobody.
    """
    video = "frames" in content
    frames, joints = [], None
    pictures = field(content, "frames", list, str(ask.path)) if video else [content]
    for number, picture in enumerate(pictures):
        where = f"{ask.path}: frames[{number}]" if video else str(ask.path)
        people: list[FoundPose] = []
        for place, person in enumerate(field(picture, "people", list, where)):
            there = f"{where}: people[{place}]"
            detected = field(person, "detected", dict, there)
            name = field(detected, "joint_set", str, there)
            try:
                skeleton = get_skeleton(name)
            except ValueError as error:
                raise ValueError(f"{there}: {error}") from None
            if joints is None:
                joints = Joints(skeleton, tuple(range(skeleton.num_joints)))
            if skeleton.name != joints.skeleton.name:
                raise ValueError(f"{there}: of {skeleton.name}, others of {joints.skeleton.name}")
            people.append(_pose(person, detected, joints, there))
        size = (field(picture, "width", int, where), field(picture, "height", int, where))
        name = field(picture, "source", str, where)
        frames.append(KeypointFrame(name=name, people=tuple(people), size_px=size))
    if joints is None:
        raise ValueError(f"{ask.path}: nobody in {len(frames)} frames")
    return KeypointFile(tool="posezoo", skeleton=joints.skeleton, frames=tuple(frames), video=video)


def _pose(
    person: Mapping[str, Any], detected: Mapping[str, Any], joints: Joints, where: str
) -> FoundPose:
    count = len(joints.places)
    px = numbers(detected.get("joints2d_px"), (count, 2), f"{where}: joints2d_px", missing=True)
    sure = numbers(detected.get("confidence"), (count,), f"{where}: confidence", missing=True)
    return pose_of(
        np.column_stack([px, sure]),
        joints,
        id=field(person, "id", int, where),
        score=field(person, "score", float, where),
        box_px=numbers(person.get("box_px"), (4,), f"{where}: box_px"),
    )
