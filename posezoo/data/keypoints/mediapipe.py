"""MediaPipe's pose landmarks, as people write them to JSON: 33 points as shares of the picture.

MediaPipe writes no files; its results have one shape in every language: `landmark` (or `landmarks`,
`pose_landmarks`, `poseLandmarks`), a list of objects with x, y and, mostly, visibility. x and y are
shares of width and height: px = x * width. One picture, or a list of one result for each frame.
World landmarks are in metres and are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from posezoo.data.keypoints.fields import Floats, field, shown
from posezoo.data.keypoints.joint_sets import Joints, by_count
from posezoo.data.keypoints.keypoints import Ask, FoundPose, KeypointFile, KeypointFrame, pose_of

_KEYS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")
_COUNTS = {33: "blazepose33"}


def matches(content: Any) -> bool:
    """Whether a JSON file is laid out so."""
    if isinstance(content, Mapping):
        return any(key in content for key in _KEYS)
    return isinstance(content, list) and any(_frame_like(each) for each in content[:50])


def read(content: Any, ask: Ask) -> KeypointFile:
    """The people of every frame.

    Raises:
        ValueError: the size is not told, a field that is not as it should be, or nobody.
    """
    width, height = ask.size("MediaPipe")
    one = isinstance(content, Mapping) or _is_point(content[0])
    frames: list[KeypointFrame] = []
    joints: Joints | None = None
    for number, each in enumerate([content] if one else content):
        where = str(ask.path) if one else f"{ask.path}: [{number}]"
        people: list[FoundPose] = []
        for points in _people(each, where):
            if joints is None:
                joints = by_count(len(points), _COUNTS, ask.path, ask.joints, "MediaPipe's pose")
            if len(points) != len(joints.places):
                raise ValueError(
                    f"{where}: {len(points)} points, the others have {len(joints.places)}"
                )
            rows = _rows(points, where)
            rows[:, :2] *= [width, height]
            people.append(pose_of(rows, joints))
        frames.append(
            KeypointFrame(name=str(number), people=tuple(people), size_px=(width, height))
        )
    if joints is None:
        raise ValueError(f"{ask.path}: nobody in {len(frames)} frames")
    return KeypointFile(
        tool="MediaPipe",
        skeleton=joints.skeleton,
        frames=tuple(frames),
        video=len(frames) > 1,
        notes=(joints.note,) if joints.note else (),
    )


def _people(each: Any, where: str) -> list[list[Any]]:
    """Lists of points: of nobody, of one person, or of several."""
    while isinstance(each, Mapping):
        key = next((key for key in _KEYS if key in each), None)
        if key is None:
            return []  # a frame in which nobody was found
        each = each[key]
    if each is None or each == []:
        return []
    if not isinstance(each, list):
        raise ValueError(f"{where}: {shown(each)}, expected a list of landmarks")
    if _is_point(each[0]):
        return [each]
    return [points for part in each for points in _people(part, where)]


def _rows(points: list[Any], where: str) -> Floats:  # (K, 3)
    rows = [
        [
            field(point, "x", float, where),
            field(point, "y", float, where),
            1.0
            if point.get("visibility") is None  # not every model tells it
            else field(point, "visibility", float, where),
        ]
        for point in points
    ]
    table = np.array(rows)
    # Visibility 0.0 is a guess that is placed all the same; 0 would mean that there is none.
    table[:, 2] = table[:, 2].clip(1e-3, 1)
    return table


def _is_point(each: Any) -> bool:
    return isinstance(each, Mapping) and {"x", "y"} <= set(each) and "keypoints" not in each


def _frame_like(each: Any) -> bool:
    if isinstance(each, Mapping):
        return _is_point(each) or any(key in each for key in _KEYS)
    return isinstance(each, list) and bool(each) and _frame_like(each[0])
