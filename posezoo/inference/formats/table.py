"""Predictions as CSV: one row for each joint of each person of each frame.

The first line is a comment that holds, as JSON, what the file says of itself:
`pandas.read_csv(path, comment="#")` or `skiprows=1` reads the rest. What is not known is empty.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from posezoo.inference.formats.about import AnyPrediction, about, frames_of
from posezoo.inference.people import Person
from posezoo.skeleton import get_skeleton
from posezoo.whole_files import write_atomically

COLUMNS = (
    "frame", "time_s", "person", "joint_set", "joint", "x_px", "y_px", "confidence",
    "x_mm", "y_mm", "z_mm", "sigma_mm", "root_x_mm", "root_y_mm", "root_z_mm",
)  # fmt: skip


def write_csv(prediction: AnyPrediction, path: Path) -> None:
    """Write the lifter's joints, 2D and 3D; the detector's own stand in the JSON."""
    text = io.StringIO()
    text.write(f"# {json.dumps(about(prediction))}\n")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for frame in frames_of(prediction):
        time = "" if frame.time_s is None else f"{frame.time_s:.6f}"
        for person in frame.people:
            names = get_skeleton(person.joint_set).joints
            for name, numbers in zip(names, _rows(person), strict=True):
                cells = ("" if np.isnan(each) else f"{each:.4f}" for each in numbers)
                table.writerow([frame.frame or 0, time, person.id, person.joint_set, name, *cells])
    write_atomically(path, text.getvalue().encode())


def _rows(person: Person) -> np.ndarray:  # (J, 10)
    joints = len(person.joints2d)
    columns = (
        (person.joints2d, 2),
        (person.confidence, 1),
        (person.joints3d, 3),
        (person.sigma_mm, 1),
        (person.root_mm, 3),
    )
    return np.concatenate(
        [
            np.full((joints, width), np.nan)
            if values is None
            else np.broadcast_to(values.reshape(-1, width), (joints, width))
            for values, width in columns
        ],
        1,
    )
