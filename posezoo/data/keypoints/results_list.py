"""Lists of people, each with its picture's name: AlphaPose's results, and COCO's (of any detector).

`keypoints` is x1, y1, c1, x2, ...; AlphaPose names the picture by text and may add `box` and the
track's number `idx`; detectors for COCO write a number and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from posezoo.data.keypoints.coco import triples
from posezoo.data.keypoints.fields import field, numbers, shown
from posezoo.data.keypoints.joint_sets import HALPE_COUNTS, Joints, by_count
from posezoo.data.keypoints.keypoints import (
    Ask,
    FoundPose,
    KeypointFile,
    KeypointFrame,
    grouped,
    pose_of,
)


def matches(content: Any) -> bool:
    """Whether a JSON file is laid out so."""
    return isinstance(content, list) and bool(content) and _is_person(content[0])


def read(content: Any, ask: Ask) -> KeypointFile:
    """The people of every picture.

    Raises:
        ValueError: a field that is not as it should be.
    """
    rows: list[tuple[str, FoundPose]] = []
    joints: Joints | None = None
    for number, each in enumerate(content):
        where = f"{ask.path}: [{number}]"
        table = triples(field(each, "keypoints", list, where), f"{where}: keypoints")
        if joints is None:
            joints = by_count(len(table), HALPE_COUNTS, ask.path, ask.joints, "AlphaPose and COCO")
        if len(table) != len(joints.places):
            raise ValueError(f"{where}: {len(table)} joints, the others have {len(joints.places)}")
        box = each.get("box", each.get("bbox"))
        pose = pose_of(
            table,
            joints,
            id=_track(each.get("idx", each.get("track_id"))),
            score=field(each, "score", float, where, 1.0),
            box_px=None if box is None else numbers(box, (4,), f"{where}: box"),
        )
        rows.append((_picture(each, where), pose))
    assert joints is not None  # `matches` has seen a person
    frames = grouped(rows)
    named = isinstance(content[0]["image_id"], str)
    return KeypointFile(
        tool="AlphaPose" if named else "COCO results",
        skeleton=joints.skeleton,
        frames=in_order(frames),
        video=named and _counted(frames),
        notes=(joints.note,) if joints.note else (),
    )


def in_order(frames: tuple[KeypointFrame, ...]) -> tuple[KeypointFrame, ...]:
    """By the numbers in their names: 2.jpg comes before 10.jpg."""
    return tuple(
        sorted(
            frames,
            key=lambda frame: [
                (part.isdigit(), int(part) if part.isdigit() else 0, part)
                for part in re.split(r"(\d{1,18})", frame.name)
            ],
        )
    )


def _is_person(each: Any) -> bool:
    return isinstance(each, Mapping) and {"image_id", "keypoints"} <= set(each)


def _picture(each: Any, where: str) -> str:
    name = each.get("image_id")
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise ValueError(f"{where}: image_id is {shown(name)}, expected text or a whole number")
    return str(name)


def _counted(frames: tuple[KeypointFrame, ...]) -> bool:
    """AlphaPose calls the frames of a video 0.jpg, 1.jpg, ..."""
    return len(frames) > 1 and all(frame.name.partition(".")[0].isdigit() for frame in frames)


def _track(value: Any) -> int | None:
    """A number; AlphaPose's merged people have a list of them, which says nothing."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**31:
        return None
    return int(value)
