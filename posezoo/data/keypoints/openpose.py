"""OpenPose's `--write_json`: a file for each picture, `people` with `pose_keypoints_2d`.

BODY_25 or the COCO model of 18, told by their number. Joints that were not found are (0, 0, 0).
Coordinates must be px of the picture (`--keypoint_scale 0`, the default). The names of a video's
files end in the frame's number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posezoo.data.keypoints.coco import triples
from posezoo.data.keypoints.fields import Floats, field, load_json
from posezoo.data.keypoints.joint_sets import OPENPOSE_COUNTS, Joints, by_count
from posezoo.data.keypoints.keypoints import Ask, KeypointFile, KeypointFrame, pose_of
from posezoo.data.keypoints.results_list import in_order

_ENDING = "_keypoints"
_SCALED = 1.5  # px: if nothing lies farther out, these are no px


def matches(content: Any) -> bool:
    """Whether a JSON file is laid out so."""
    return isinstance(content, Mapping) and isinstance(content.get("people"), list)


def read(content: Any, ask: Ask) -> KeypointFile:
    """The people of one picture.

    Raises:
        ValueError: a field that is not as it should be, or nobody.
    """
    return _file([(ask.path, content)], ask)


def read_folder(paths: list[Path], ask: Ask) -> KeypointFile:
    """The people of every picture, one file for each.

    Raises:
        ValueError: a file that is not OpenPose's, or nobody in any.
    """
    pairs = []
    for path in paths:
        content = load_json(path)
        if not matches(content):
            raise ValueError(f"{path}: not of OpenPose (it has no list 'people'), as others here")
        pairs.append((path, content))
    return _file(pairs, ask)


def _file(pairs: list[tuple[Path, Any]], ask: Ask) -> KeypointFile:
    joints: Joints | None = None
    frames, largest = [], 0.0
    for path, content in pairs:
        people = []
        for number, person in enumerate(field(content, "people", list, str(path))):
            where = f"{path}: people[{number}]"
            flat = field(person, "pose_keypoints_2d", list, where)
            if not flat:
                continue  # only a face or a hand was asked for
            rows: Floats = triples(flat, f"{where}: pose_keypoints_2d")
            if joints is None:
                joints = by_count(len(rows), OPENPOSE_COUNTS, path, ask.joints, "OpenPose")
            if len(rows) != len(joints.places):
                raise ValueError(
                    f"{where}: {len(rows)} joints, the others have {len(joints.places)}"
                )
            largest = max(largest, float(rows[:, :2].max()))
            people.append(pose_of(rows, joints, id=_track(person.get("person_id"))))
        frames.append(KeypointFrame(name=path.stem.removesuffix(_ENDING), people=tuple(people)))
    if joints is None:
        raise ValueError(f"{ask.path}: OpenPose found nobody in {len(pairs)} pictures")
    if largest < _SCALED:
        raise ValueError(
            f"{ask.path}: no joint lies beyond {largest:.3g}: these are shares of the picture, not "
            "px; run OpenPose with --keypoint_scale 0"
        )
    return KeypointFile(
        tool="OpenPose",
        skeleton=joints.skeleton,
        frames=in_order(tuple(frames)),
        video=len(frames) > 1 and all(re.search(r"\d{6,}$", frame.name) for frame in frames),
        notes=(joints.note,) if joints.note else (),
    )


def _track(value: Any) -> int | None:
    """[-1] where OpenPose has not followed people."""
    number = value[0] if isinstance(value, list) and len(value) == 1 else value
    known = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    return number if known else None
