"""Ultralytics' pose models: `result.to_json()` of one picture, and label files of `save_txt=True`.

JSON: a list of people with `keypoints` {x, y, visible}, in px, or in shares if it was written with
normalize=True. Labels: a text file for each picture, a line for each person: class, box (centre and
size), x y visibility for each joint, all in shares, and perhaps confidence and track at the end
(one number: the track's if it is whole).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.keypoints.fields import Floats, field, numbers
from posezoo.data.keypoints.joint_sets import COCO_COUNTS, Joints, by_count
from posezoo.data.keypoints.keypoints import Ask, FoundPose, KeypointFile, KeypointFrame, pose_of
from posezoo.data.keypoints.results_list import in_order
from posezoo.data.text_file import read_text

_SHARES = 1.5  # if nothing lies farther out, these are shares of the picture
_BEFORE = 5  # numbers of a label before its joints


def matches(content: Any) -> bool:
    """Whether a JSON file is laid out so: one picture's people, or a list of such lists."""
    if not isinstance(content, list):
        return False
    people = [each for part in content for each in (part if isinstance(part, list) else [part])]
    return bool(people) and _is_person(people[0])


def read(content: Any, ask: Ask) -> KeypointFile:
    """The people of one picture, or of each of a list.

    Raises:
        ValueError: a field that is not as it should be, or shares without a size.
    """
    pictures = content if isinstance(content[0], list) else [content]
    joints: Joints | None = None
    frames = []
    for number, people in enumerate(pictures):
        found = []
        for place, each in enumerate(people):
            where = (
                f"{ask.path}: [{number}][{place}]"
                if len(pictures) > 1
                else f"{ask.path}: [{place}]"
            )
            rows = _rows(field(each, "keypoints", dict, where), f"{where}: keypoints")
            box = _box(field(each, "box", dict, where, {}), where)
            joints = joints or by_count(
                len(rows), COCO_COUNTS, ask.path, ask.joints, "Ultralytics' pose models"
            )
            found.append((rows, box, each, where))
        frames.append(found)
    assert joints is not None  # `matches` has seen a person
    largest = max(float(rows[:, :2].max()) for found in frames for rows, *_ in found)
    scale = np.array(ask.size("normalize=True") if largest < _SHARES else (1, 1))
    return KeypointFile(
        tool="Ultralytics",
        skeleton=joints.skeleton,
        frames=tuple(
            KeypointFrame(
                name=ask.path.stem if len(frames) == 1 else str(number),
                size_px=ask.size_px,
                people=tuple(
                    _pose(
                        rows,
                        joints,
                        scale,
                        where,
                        box,
                        id=field(each, "track_id", int, where, -1),
                        score=field(each, "confidence", float, where, 1.0),
                    )
                    for rows, box, each, where in found
                ),
            )
            for number, found in enumerate(frames)
        ),
        video=len(frames) > 1,
        notes=(joints.note,) if joints.note else (),
    )


def read_labels(paths: list[Path], ask: Ask) -> KeypointFile:
    """The people of every picture, a label file for each.

    Raises:
        ValueError: the size is not told, or a line that is no label of a pose.
    """
    scale = np.array(ask.size("save_txt"))
    joints: Joints | None = None
    frames = []
    for path in paths:
        people = []
        for number, line in enumerate(_lines(path), 1):
            where = f"{path}: line {number}"
            values = _numbers(line, where)
            count, rest = divmod(len(values) - _BEFORE, 3)
            if len(values) < _BEFORE + 3:
                raise ValueError(f"{where}: {len(values)} numbers, expected a box and joints")
            if joints is None:
                joints = by_count(
                    count, COCO_COUNTS, path, ask.joints, "Ultralytics' pose models (x y v)"
                )
            if count != len(joints.places):
                raise ValueError(f"{where}: {count} joints, the others have {len(joints.places)}")
            rows = values[_BEFORE : _BEFORE + 3 * count].reshape(-1, 3)
            x, y, width, height = values[1:5]
            people.append(
                _pose(
                    rows,
                    joints,
                    scale,
                    where,
                    np.array([x - width / 2, y - height / 2, width, height]),
                    id=int(values[-1]) if rest and values[-1] == int(values[-1]) else -1,
                    score=float(values[_BEFORE + 3 * count]) if rest else 1.0,
                )
            )
        frames.append(
            KeypointFrame(name=path.stem, people=tuple(people), size_px=(scale[0], scale[1]))
        )
    if joints is None:
        raise ValueError(f"{ask.path}: nobody in {len(paths)} label files")
    return KeypointFile(
        tool="Ultralytics labels",
        skeleton=joints.skeleton,
        frames=in_order(tuple(frames)),
        video=False,
        notes=(joints.note,) if joints.note else (),
    )


def _pose(
    rows: Floats, joints: Joints, scale: Floats, where: str, box: Floats | None,
    *, id: int, score: float,
) -> FoundPose:  # fmt: skip
    if len(rows) != len(joints.places):
        raise ValueError(f"{where}: {len(rows)} joints, the others have {len(joints.places)}")
    return pose_of(
        np.column_stack([rows[:, :2] * scale, rows[:, 2]]),
        joints,
        id=None if id < 0 else id,
        score=score,
        box_px=None if box is None else box * np.tile(scale, 2),
    )


def _rows(keypoints: Mapping[str, Any], where: str) -> Floats:  # (K, 3)
    x, y = (numbers(field(keypoints, key, list, where), (None,), where) for key in "xy")
    sure = np.ones(len(x))
    if "visible" in keypoints:
        sure = numbers(keypoints["visible"], (None,), f"{where}: visible")
    if not len(x) == len(y) == len(sure):
        raise ValueError(f"{where}: {len(x)} x, {len(y)} y and {len(sure)} visible")
    return np.stack([x, y, sure], -1)


def _box(box: Mapping[str, Any], where: str) -> Floats | None:
    if not box:
        return None
    x1, y1, x2, y2 = (field(box, key, float, f"{where}: box") for key in ("x1", "y1", "x2", "y2"))
    return np.array([x1, y1, x2 - x1, y2 - y1])


def _is_person(each: Any) -> bool:
    return isinstance(each, Mapping) and isinstance(each.get("keypoints"), Mapping)


def _lines(path: Path) -> list[str]:
    try:
        text = read_text(path)
    except ValueError:
        raise ValueError(f"{path}: is no text; expected labels of Ultralytics") from None
    return [line for line in text.splitlines() if line.strip()]


def _numbers(line: str, where: str) -> Floats:
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        raise ValueError(f"{where}: {line[:40]!r}, expected numbers only") from None
    return numbers(values, (None,), where)
