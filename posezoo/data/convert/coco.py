"""COCO key points, `person_keypoints_*.json` and what is laid out like it. 2D only.

The joint set is what the file's `categories` name (PoseTrack's 17 are not COCO's); without names
it is known by the count. COCO counts pixels from 0 and its key points are whole pixels: there is
no half-pixel shift. A joint with v = 0 is not labelled. v = 1 is labelled but hidden in a file
that has v = 2 at all; PoseTrack's v is 0 or 1, and 1 is seen. Entries of nobody are dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.convert.people2d import Person, people_pieces
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.keypoints.coco import images_by_id, joints_of, reason_against, triples
from posezoo.data.keypoints.fields import field
from posezoo.data.keypoints.joint_sets import HALPE_COUNTS, Joints
from posezoo.data.keypoints.keypoints import Ask
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.text_file import read_json
from posezoo.hints import shown

_LAYOUT = "images [{id, file_name, width, height}], annotations [{image_id, keypoints}]"


def read(source: Path, options: Options) -> Reading:
    """A piece for each group of pictures, and one for who is left out.

    Raises:
        ValueError: no such file, an id that stands twice, or no person that can be used.
    """
    left_out: Counter[str] = Counter()
    with understood(source, _LAYOUT):
        content = read_json(source)
        images = images_by_id(content, str(source))
        annotations = _by_id(field(content, "annotations", list, str(source)), source)
        found: list[tuple[str, Mapping[str, Any], np.ndarray]] = []
        joints: Joints | None = None
        for name, each in annotations:
            reason = reason_against(each, images) or _reason_against_category(each, content)
            if not reason:
                image = images[str(each["image_id"])]
                rows, reason = _rows(each, joints)
                reason = reason or _reason_against_image(image, options)
            if reason:
                left_out[reason] += 1
                continue
            if joints is None:
                joints = joints_of(content, each, len(rows), Ask(path=source), HALPE_COUNTS)
            found.append((name, image, _placed(rows, joints)))
        if joints is None:
            reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.items())
            raise ValueError(f"{source}: no annotation can be used ({reasons or 'there is none'})")
    seen = 2 if max(rows[:, 2].max() for _, _, rows in found) > 1 else 1
    people = [
        Person(
            image["file_name"],
            f"coco-{name}",
            np.where(rows[:, 2:] > 0, rows[:, :2], np.nan),
            rows[:, 2] >= seen,
            _size(image),
        )
        for name, image, rows in found
    ]
    note = joints.note

    def remarks_on_all(remarks: Remarks) -> list[PoseSequence]:
        for reason, count in left_out.items():
            remarks.dropped(count, reason)
        if note:
            remarks.repaired(len(people), note)
        return []

    pieces = people_pieces(people, joints.skeleton, "coco", options)
    pieces.append(Piece("the file as a whole", remarks_on_all))
    return Reading(joints.skeleton, pieces, [source])


def _by_id(annotations: list[Any], source: Path) -> list[tuple[str, Any]]:
    """Each with its id; one without has its place in the file.

    Raises:
        ValueError: an id stands twice.
    """
    named: dict[str, Any] = {}
    for place, each in enumerate(annotations):
        has_id = isinstance(each, Mapping) and "id" in each
        name = str(each["id"]) if has_id else f"place{place}"
        if name in named:
            raise ValueError(
                f"{source}: two annotations have the id {shown(name)}; give each its own"
            )
        named[name] = each
    return list(named.items())


def _rows(annotation: Mapping[str, Any], joints: Joints | None) -> tuple[np.ndarray, str]:
    """Its joints (K, 3), and why they cannot be used; "" if they can."""
    try:
        rows = triples(annotation["keypoints"], "")
    except ValueError:
        return np.empty((0, 3)), "keypoints that are not three numbers for each joint"
    if not rows[:, 2].any():
        return rows, "a person without any joint"
    wrong = joints is not None and len(rows) != len(joints.places)
    return rows, "keypoints of another joint set than the others'" if wrong else ""


def _reason_against_category(annotation: Mapping[str, Any], content: Any) -> str:
    """A file that has a category of people holds others beside them."""
    listed = content.get("categories")
    categories = [each for each in listed if isinstance(each, Mapping)] if listed else []
    people = [each.get("id") for each in categories if each.get("name") == "person"]
    own = annotation.get("category_id")
    return "" if not people or own is None or own in people else "no person by its category"


def _reason_against_image(image: Any, options: Options) -> str:
    if not isinstance(image.get("file_name"), str):
        return "its picture has no file_name"
    known = _size(image) is not None or options.images is not None  # else the picture tells
    return "" if known else "its picture has no width and height"


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    sides = image.get("width"), image.get("height")
    if all(
        isinstance(side, int | float) and 0 < side < 1e6 and side == int(side) for side in sides
    ):
        return int(sides[0]), int(sides[1])  # type: ignore[arg-type] # numbers, as was seen
    return None


def _placed(
    rows: np.ndarray,  # (K, 3) in the file's order
    joints: Joints,
) -> np.ndarray:  # (J, 3) in the set's order; v = 0 where the file has no such joint
    placed = np.zeros((joints.skeleton.num_joints, 3))
    for row, place in zip(rows, joints.places, strict=True):
        if place is not None:
            placed[place] = row
    return placed
