"""COCO's annotations: images, annotations, and categories that name the joints.

v = 0 is not labelled, v = 1 labelled but hidden, v = 2 visible: both of these count as sure, since
a person placed them. Entries that hold nobody are left out and counted: crowds, people without a
labelled joint, annotations without keypoints or without their picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from posezoo.data.keypoints.fields import Floats, field, numbers
from posezoo.data.keypoints.joint_sets import COCO_COUNTS, Joints, by_count, by_names
from posezoo.data.keypoints.keypoints import (
    Ask,
    FoundPose,
    KeypointFile,
    KeypointFrame,
    grouped,
    pose_of,
)
from posezoo.hints import shown


def matches(content: Any) -> bool:
    """Whether a JSON file is laid out so."""
    return isinstance(content, Mapping) and {"annotations", "images"} <= set(content)


def read(content: Any, ask: Ask) -> KeypointFile:
    """The people of every picture that has any.

    Raises:
        ValueError: a field that is not as it should be, or nobody.
    """
    where = str(ask.path)
    images = images_by_id(content, where)
    rows: list[tuple[str, FoundPose]] = []
    sizes: dict[str, tuple[int, int]] = {}
    left_out: Counter[str] = Counter()
    joints: Joints | None = None
    for number, each in enumerate(field(content, "annotations", list, where)):
        there = f"{where}: annotations[{number}]"
        reason = reason_against(each, images)
        if reason:
            left_out[reason] += 1
            continue
        image = images[_key(each["image_id"])]
        rows_of = triples(each["keypoints"], f"{there}: keypoints")
        if joints is None:
            joints = joints_of(content, each, len(rows_of), ask)
        if len(rows_of) != len(joints.places):
            raise ValueError(
                f"{there}: {len(rows_of)} joints, the others have {len(joints.places)}"
            )
        name = field(image, "file_name", str, f"{where}: images")
        if "width" in image and "height" in image:
            sizes[name] = (field(image, "width", int, where), field(image, "height", int, where))
        rows_of[:, 2] = rows_of[:, 2] > 0
        box = each.get("bbox")
        pose = pose_of(
            rows_of,
            joints,
            box_px=None if box is None else numbers(box, (4,), f"{there}: bbox"),
        )
        if pose.confidence.any():
            rows.append((name, pose))
        else:
            left_out["without a labelled joint"] += 1
    if joints is None or not rows:
        raise ValueError(f"{where}: no annotation has a labelled joint")
    notes = [joints.note] if joints.note else []
    notes += [f"left out {count} annotations: {why}" for why, count in left_out.items()]
    frames = [
        KeypointFrame(name=f.name, people=f.people, size_px=sizes.get(f.name, ask.size_px))
        for f in grouped(rows)
    ]
    return KeypointFile(
        tool="COCO annotations",
        skeleton=joints.skeleton,
        frames=tuple(frames),
        video=False,
        notes=tuple(notes),
    )


def images_by_id(content: Any, where: str) -> dict[str, Any]:
    """The entries of `images`; those without an id, which nobody can name, are left out.

    Raises:
        ValueError: two of them have one id, or there is no such list.
    """
    images: dict[str, Any] = {}
    for image in field(content, "images", list, where):
        if not isinstance(image, Mapping) or image.get("id") is None:
            continue
        name = _key(image["id"])
        if name in images:
            raise ValueError(f"{where}: two images have the id {shown(name)}; give each its own")
        images[name] = image
    return images


def reason_against(annotation: Any, images: Mapping[str, Any]) -> str:
    """Why an annotation is left out; "" if it is not."""
    if not isinstance(annotation, Mapping) or "keypoints" not in annotation:
        return "without keypoints"
    if annotation.get("iscrowd"):
        return "a crowd"
    return "" if _key(annotation.get("image_id")) in images else "without a picture"


def triples(value: Any, where: str) -> Floats:  # (K, 3)
    """Joints from a flat list x1, y1, c1, x2, ...

    Raises:
        ValueError: no such list.
    """
    flat = numbers(value, (None,), where)
    if not len(flat) or len(flat) % 3:
        raise ValueError(f"{where}: {len(flat)} numbers, expected three for each joint")
    return flat.reshape(-1, 3)


def joints_of(
    content: Any,
    annotation: Mapping[str, Any],
    count: int,
    ask: Ask,
    counts: Mapping[int, str] = COCO_COUNTS,
) -> Joints:
    """By the names of the annotation's category; by the count if it names none.

    Raises:
        ValueError: names or a count of no joint set.
    """
    where = str(ask.path)
    for category in field(content, "categories", list, where, []):
        if not isinstance(category, Mapping) or "keypoints" not in category:
            continue
        if annotation.get("category_id", category.get("id")) == category.get("id"):
            names = field(category, "keypoints", list, f"{where}: categories")
            if len(names) != count or not all(isinstance(name, str) for name in names):
                raise ValueError(
                    f"{where}: categories name {len(names)} joints, annotations have {count}"
                )
            return by_names(names, ask.path, ask.joints)
    return by_count(count, counts, ask.path, ask.joints, "COCO")


def _key(value: Any) -> str:
    """Ids may be numbers or text; "7" and 7 are one."""
    return str(value)
