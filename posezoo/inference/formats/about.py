"""What every file says of itself: software, source, weights, joint sets, units, axes, camera."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import posezoo
from posezoo.camera import Camera
from posezoo.inference.people import Prediction, VideoPrediction
from posezoo.skeleton import get_skeleton

AnyPrediction: TypeAlias = Prediction | VideoPrediction

UNITS = {"2d": "px", "3d": "mm"}
AXES = {
    "2d": "picture as given: x right, y down, the centre of the top-left pixel is (0, 0)",
    "3d": "camera: x right, y down, z forward; the root joint is 0, root_mm + 3d is absolute",
}


def frames_of(prediction: AnyPrediction) -> tuple[Prediction, ...]:
    """The frames of a video, or the one picture."""
    return prediction.frames if isinstance(prediction, VideoPrediction) else (prediction,)


def about(prediction: AnyPrediction) -> dict[str, Any]:
    """All but the people, as JSON holds it; of a video, with what its first frame says."""
    frames = frames_of(prediction)
    facts = about_picture(frames[0]) if frames else {"posezoo": _version()}
    if isinstance(prediction, VideoPrediction):
        facts |= {"source": prediction.source, "fps": prediction.fps}
    return facts | {"units": UNITS, "axes": AXES, "joints": _joint_names(frames)}


def about_picture(prediction: Prediction) -> dict[str, Any]:
    """What is said of each frame of a video too."""
    return {
        "posezoo": _version(),
        "source": prediction.source,
        "width": prediction.width,
        "height": prediction.height,
        "pipeline": prediction.pipeline,
        "weights": dict(prediction.weights),
        "camera": camera_dict(prediction),
    }


@cache
def _version() -> str:
    return posezoo.__version__


def camera_dict(prediction: Prediction) -> dict[str, Any]:
    """The camera in OpenCV's terms.

    A tangential term without OpenCV's factor 2 has no exact counterpart there. The nearest over all
    directions is (3 factor + 4) / 10 of its p1 and p2: inside a Human3.6M picture it is 0.44 px off
    at most, 0.11 on average. The numbers themselves stand beside it, for `camera_of`.
    """
    numbers = prediction.camera.parameters.double().tolist()
    fx, fy, cx, cy, k1, k2, k3, p1, p2, factor = numbers
    share = (3 * factor + 4) / 10
    facts = {"fx": fx, "fy": fy, "cx": cx, "cy": cy}
    facts["distortion"] = [k1, k2, k3, share * p1, share * p2]
    facts["assumed"] = prediction.camera_assumed
    if factor != 2 and (p1 or p2):
        facts["tangential_x1"] = [p1, p2]
    return facts


def camera_of(
    facts: dict[str, Any],  # of `camera_dict`, its numbers checked
) -> Camera:
    """The camera again."""
    k1, k2, k3, p1, p2 = facts["distortion"]
    exact = facts.get("tangential_x1")
    factor = 2.0 if exact is None else 1.0
    if facts.get("assumed") and not any(facts["distortion"]):
        factor = 0.0  # `Camera.guessed`
    return Camera.make(
        focal_px=(facts["fx"], facts["fy"]),
        centre_px=(facts["cx"], facts["cy"]),
        radial=(k1, k2, k3),
        tangential=(p1, p2) if exact is None else tuple(exact),
        tangential_factor=factor,
    )


def _joint_names(frames: tuple[Prediction, ...]) -> dict[str, list[str]]:
    names = {
        name
        for frame in frames
        for person in frame.people
        for name in (person.joint_set, person.detected_joint_set)
    }
    return {name: list(get_skeleton(name).joints) for name in sorted(names)}
