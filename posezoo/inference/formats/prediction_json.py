"""Predictions as JSON, written and read: the format that scripts rely on.

`prediction.schema.json` beside this file is its definition, docs/prediction_files.md its
description. What is not known is null; px and mm are rounded to 0.001.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.data.keypoints.fields import field, load_json, numbers
from posezoo.inference.formats.about import AnyPrediction, about, about_picture, camera_of
from posezoo.inference.people import Person, Prediction, VideoPrediction
from posezoo.skeleton import get_skeleton
from posezoo.whole_files import write_atomically

SCHEMA = Path(__file__).with_name("prediction.schema.json")

Floats: TypeAlias = NDArray[np.float64]


def write_json(prediction: AnyPrediction, path: Path) -> None:
    """Write a picture's people, or a video's under "frames", each as a picture's."""
    write_atomically(path, json.dumps(to_dict(prediction), allow_nan=False).encode())


def to_dict(prediction: AnyPrediction) -> dict[str, Any]:
    """What `write_json` writes."""
    if isinstance(prediction, VideoPrediction):
        return {**about(prediction), "frames": [_picture(each) for each in prediction.frames]}
    return about(prediction) | _picture(prediction)


def read_prediction(path: str | Path) -> AnyPrediction:
    """Read what `write_json` wrote.

    Raises:
        ValueError: no such file, or one that is not as it should be; the text names the place.
    """
    path = Path(path)
    content = load_json(path)
    where = str(path)
    if not (isinstance(content, dict) and "frames" in content):
        return _read_picture(content, where)
    frames = field(content, "frames", list, where)
    return VideoPrediction(
        source=field(content, "source", str, where),
        fps=field(content, "fps", float, where),
        frames=tuple(_read_picture(each, f"{where}: frames[{n}]") for n, each in enumerate(frames)),
    )


def _picture(prediction: Prediction) -> dict[str, Any]:
    facts = about_picture(prediction)
    if prediction.frame is not None:
        facts["frame"] = prediction.frame
    if prediction.time_s is not None:
        facts["time_s"] = prediction.time_s
    return facts | {"people": [_person(each) for each in prediction.people]}


def _person(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "box_px": _listed(person.box_px),
        "score": round(person.score, 4),
        "detected": {
            "joint_set": person.detected_joint_set,
            "joints2d_px": _listed(person.detected2d_px),
            "confidence": _listed(person.detected_confidence),
        },
        "joint_set": person.joint_set,
        "joints2d_px": _listed(person.joints2d),
        "confidence": _listed(person.confidence),
        "joints3d_mm": _listed(person.joints3d),
        "sigma_mm": _listed(person.sigma_mm),
        "root_mm": _listed(person.root_mm),
        "warnings": list(person.warnings),
    }


def _listed(values: Floats | None) -> Any:
    """Nested lists with null for NaN, or null for what is not there."""
    if values is None:
        return None
    rounded = np.round(np.asarray(values, np.float64), 3) + 0.0  # no -0.0
    if np.isfinite(rounded).all():
        return rounded.tolist()
    listed = rounded.astype(object)
    listed[~np.isfinite(rounded)] = None
    return listed.tolist()


def _read_picture(content: Any, where: str) -> Prediction:
    camera = field(content, "camera", dict, where)
    facts: dict[str, Any] = {
        key: field(camera, key, float, f"{where}: camera") for key in ("fx", "fy", "cx", "cy")
    }
    for key, length in (("distortion", 5), ("tangential_x1", 2)):
        if key in camera:
            facts[key] = numbers(camera[key], (length,), f"{where}: camera: {key}").tolist()
    facts.setdefault("distortion", [0.0] * 5)
    people = field(content, "people", list, where)
    frame, time = content.get("frame"), content.get("time_s")
    return Prediction(
        source=field(content, "source", str, where),
        width=field(content, "width", int, where),
        height=field(content, "height", int, where),
        pipeline=field(content, "pipeline", str, where),
        camera=camera_of(facts),
        camera_assumed=field(camera, "assumed", bool, f"{where}: camera"),
        people=tuple(_read_person(each, f"{where}: people[{n}]") for n, each in enumerate(people)),
        frame=None if frame is None else field(content, "frame", int, where),
        time_s=None if time is None else field(content, "time_s", float, where),
        weights={
            name: field({name: sha256}, name, str, f"{where}: weights")
            for name, sha256 in field(content, "weights", dict, where, {}).items()
        },
    )


def _read_person(content: Any, where: str) -> Person:
    detected = field(content, "detected", dict, where)
    found, there = _joint_set(detected, f"{where}: detected"), f"{where}: detected"
    joint_set = _joint_set(content, where)
    count, seen = (get_skeleton(name).num_joints for name in (joint_set, found))

    def array(holder: Any, key: str, shape: tuple[int, ...], place: str) -> Floats:
        return numbers(field(holder, key, list, place), shape, f"{place}: {key}", missing=True)

    def known(key: str, shape: tuple[int, ...]) -> Floats | None:
        return None if content.get(key) is None else array(content, key, shape, where)

    return Person(
        id=field(content, "id", int, where),
        box_px=array(content, "box_px", (4,), where),
        score=field(content, "score", float, where),
        detected_joint_set=found,
        detected2d_px=array(detected, "joints2d_px", (seen, 2), there),
        detected_confidence=array(detected, "confidence", (seen,), there),
        joint_set=joint_set,
        joints2d=array(content, "joints2d_px", (count, 2), where),
        confidence=array(content, "confidence", (count,), where),
        joints3d=known("joints3d_mm", (count, 3)),
        sigma_mm=known("sigma_mm", (count,)),
        root_mm=known("root_mm", (3,)),
        warnings=tuple(
            field({"warning": each}, "warning", str, where)
            for each in field(content, "warnings", list, where, [])
        ),
    )


def _joint_set(holder: Any, where: str) -> str:
    name = field(holder, "joint_set", str, where)
    try:
        return get_skeleton(name).name
    except ValueError as error:
        raise ValueError(f"{where}: joint_set: {error}") from None
