"""Predictions as npz: plain arrays, one row for each person of each frame.

`about` is what the file says of itself, as JSON text. What is not known is NaN.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posezoo.inference.formats.about import AnyPrediction, about, frames_of
from posezoo.skeleton import get_skeleton
from posezoo.whole_files import write_atomically


def write_npz(prediction: AnyPrediction, path: Path) -> None:
    """Write R rows of J joints, and of K joints as the detector gave them; F frames' cameras.

    Raises:
        ValueError: the people are not of one joint set.
    """
    frames = frames_of(prediction)
    rows = [(frame, person) for frame in frames for person in frame.people]
    people = [person for _, person in rows]
    sets = {(each.joint_set, each.detected_joint_set) for each in people} or {("h36m17", "h36m17")}
    if len(sets) > 1:
        raise ValueError(f"{path}: an npz holds people of one joint set, these are of {sets}")
    joints, detected = (get_skeleton(name) for name in sets.pop())
    count = joints.num_joints

    def stack(values: list[NDArray[np.float64] | None], *shape: int) -> NDArray[np.float64]:
        filled = [np.full(shape, np.nan) if each is None else each for each in values]
        return np.stack(filled) if filled else np.empty((0, *shape))

    content = io.BytesIO()
    np.savez_compressed(
        content,
        about=np.array(json.dumps(about(prediction))),
        joint_set=np.array(joints.name),
        joints=np.array(joints.joints),
        detected_joint_set=np.array(detected.name),
        detected_joints=np.array(detected.joints),
        frame=np.array([frame.frame or 0 for frame, _ in rows], np.int64),
        time_s=np.array([np.nan if f.time_s is None else f.time_s for f, _ in rows]),
        person=np.array([each.id for each in people], np.int64),
        score=np.array([each.score for each in people]),
        box_px=stack([each.box_px for each in people], 4),
        joints2d_px=stack([each.joints2d for each in people], count, 2),
        confidence=stack([each.confidence for each in people], count),
        joints3d_mm=stack([each.joints3d for each in people], count, 3),
        sigma_mm=stack([each.sigma_mm for each in people], count),
        root_mm=stack([each.root_mm for each in people], 3),
        detected2d_px=stack([each.detected2d_px for each in people], detected.num_joints, 2),
        detected_confidence=stack(
            [each.detected_confidence for each in people], detected.num_joints
        ),
        # posezoo.camera.Camera: fx fy cx cy k1 k2 k3 p1 p2, tangential factor
        camera=np.stack([each.camera.parameters.double().numpy() for each in frames])
        if frames
        else np.empty((0, 10)),
    )
    write_atomically(path, content.getvalue())
