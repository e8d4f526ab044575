"""What other programs write of people: tables, and 2D joints as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.contracts import Sample
from posezoo.skeleton import H36M17, get_skeleton

Floats: TypeAlias = NDArray[np.float64]

_LENS = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "p1", "p2", "tangential_factor")
_EAR_MM, _EYE_MM = 70.0, 32.0  # half the distance of the two
_SURE = 0.9


def own_table(samples: Sequence[Sample], names: Sequence[str]) -> str:
    """Poses, lenses and picture names as the .csv of `posezoo data convert --from own`."""
    rows: list[dict[str, Any]] = []
    for number, (sample, name) in enumerate(zip(samples, names, strict=True)):
        row = {"subject": sample.subject, "action": sample.action, "frame": number, "image": name}
        absolute = sample.joints3d[0] + sample.root_mm[0]
        for joint, px, mm in zip(H36M17.joints, sample.joints2d[0], absolute, strict=True):
            row |= {f"{joint}_{axis}_px": f"{px['xy'.index(axis)]:.3f}" for axis in "xy"}
            row |= {f"{joint}_{axis}_mm": f"{mm['xyz'.index(axis)]:.2f}" for axis in "xyz"}
        row |= dict(zip(_LENS, sample.camera.parameters.tolist(), strict=True))
        rows.append(row)
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def coco_file(samples: Sequence[Sample], names: Sequence[str], size: int) -> str:
    """2D joints as COCO's annotations; faces are not labelled, as nobody knows where they are."""
    joints = get_skeleton("coco17").joints
    places = [H36M17.joints.index(each) if each in H36M17.joints else -1 for each in joints]
    images = [
        {"id": number, "file_name": name, "width": size, "height": size}
        for number, name in enumerate(names, 1)
    ]
    annotations = []
    for number, sample in enumerate(samples, 1):
        px, seen = sample.joints2d[0].tolist(), sample.visible[0].tolist()
        known = [(px[place], 1 + seen[place]) if place >= 0 else ((0, 0), 0) for place in places]
        annotations.append({
            "id": number,
            "image_id": number,
            "category_id": 1,
            "iscrowd": 0,
            "num_keypoints": sum(v > 0 for _, v in known),
            "bbox": _box(np.array(px)),
            "area": float(np.prod(_box(np.array(px))[2:])),
            "keypoints": [number for (x, y), v in known for number in (round(x), round(y), v)],
        })  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": list(joints)}
    return json.dumps({"images": images, "annotations": annotations, "categories": [category]})


def openpose_frames(
    joints3d: Floats,  # (T, 17, 3) mm, world frame, z up
    size_px: tuple[int, int],
) -> list[str]:
    """A file for each frame, BODY_25; feet were not found."""
    people = [
        [{"person_id": [0], "pose_keypoints_2d": _flat(pose, "body25", size_px)}]
        for pose in joints3d
    ]
    return [json.dumps({"version": 1.3, "people": each}) for each in people]


def alphapose_results(
    joints3d: Floats,  # (T, 17, 3) mm, world frame, z up
    size_px: tuple[int, int],
) -> str:
    """One file of all frames, COCO's 17 joints."""
    results = [
        {
            "image_id": f"{number}.jpg",
            "category_id": 1,
            "keypoints": _flat(pose, "coco17", size_px),
            "score": 2.7,
            "idx": 1,
        }
        for number, pose in enumerate(joints3d)
    ]
    return json.dumps(results)


def _flat(pose: Floats, joint_set: str, size_px: tuple[int, int]) -> list[float]:
    """x, y and score of each joint; 0, 0, 0 of one that was not found."""
    width, height = size_px
    found = dict(zip(H36M17.joints, pose, strict=True)) | _face(pose)
    flat: list[float] = []
    for name in get_skeleton(joint_set).joints:
        if name not in found:
            flat += [0.0, 0.0, 0.0]
            continue
        x, y, z = found[name]  # the camera stands 5 m to the right, 1 m high, and looks along y
        away = y + 5000.0
        px = (width / 2 + width * x / away, height / 2 - width * (z - 1000.0) / away)
        flat += [round(px[0], 2), round(px[1], 2), _SURE]
    return flat


def _face(pose: Floats) -> dict[str, Floats]:
    """Joints that other sets have: about the neck/nose and the top of the head."""
    at = dict(zip(H36M17.joints, pose, strict=True))
    left = at["left_shoulder"] - at["right_shoulder"]
    left = left / np.linalg.norm(left)
    nose, top = at["neck"], at["head"]
    eyes, ears = nose + 0.3 * (top - nose), nose + 0.25 * (top - nose)
    return {
        "nose": nose,
        "left_eye": eyes + _EYE_MM * left,
        "right_eye": eyes - _EYE_MM * left,
        "left_ear": ears + _EAR_MM * left,
        "right_ear": ears - _EAR_MM * left,
        "neck": at["thorax"],
        "hip": at["pelvis"],
    }


def _box(px: Floats) -> list[float]:  # x, y, width, height
    low, high = px.min(0), px.max(0)
    return [*low.tolist(), *(high - low).tolist()]
