"""DeepLabCut's CSV: header rows scorer, (individuals,) bodyparts and coords, a row for each frame.

coords are x, y and likelihood; hand-labelled files have no likelihood, and an empty cell is a joint
that is not there. Joints are told by their names.
"""

from __future__ import annotations

import csv
import math
from typing import TypeAlias

import numpy as np

from posezoo.data.keypoints.fields import LARGEST
from posezoo.data.keypoints.joint_sets import by_names
from posezoo.data.keypoints.keypoints import Ask, KeypointFile, KeypointFrame, pose_of

_LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_PLACE = {"x": 0, "y": 1, "likelihood": 2}
Columns: TypeAlias = dict[tuple[str, str, str], int]  # individual, body part, coordinate


def read(ask: Ask) -> KeypointFile:
    """The people of every frame.

    Raises:
        ValueError: not such a table, with the line.
    """
    path = ask.path
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a CSV table ({error})") from None
    levels = [row[0] for row in rows[:4] if row[0] in _LEVELS]
    apart = levels != [row[0] for row in rows[: len(levels)]]
    if apart or [n for n in levels if n != "individuals"] != ["scorer", "bodyparts", "coords"]:
        raise ValueError(
            f"{path}: expected DeepLabCut's header rows scorer, bodyparts and coords, found "
            f"{', '.join(repr(row[0][:20]) for row in rows[:3]) or 'nothing'}"
        )
    header, body = {row[0]: row for row in rows[: len(levels)]}, rows[len(levels) :]
    columns = _columns(header)
    animals = list(dict.fromkeys(animal for animal, _, _ in columns))
    parts = list(dict.fromkeys(part for _, part, _ in columns))
    joints = by_names(parts, path, ask.joints)
    if not body:
        raise ValueError(f"{path}: has a header and no frame")
    frames = []
    for number, row in enumerate(body, len(levels) + 1):
        where = f"{path}: row {number}"
        people = [
            pose_of(_pose(row, columns, animal, parts, where), joints, id=place)
            for place, animal in enumerate(animals)
        ]
        frames.append(
            KeypointFrame(
                name="/".join(row[: min(columns.values())]),  # a number, or parts of a path
                people=tuple(pose for pose in people if pose.confidence.any()),
                size_px=ask.size_px,
            )
        )
    return KeypointFile(
        tool="DeepLabCut",
        skeleton=joints.skeleton,
        frames=tuple(frames),
        video=all(row[0].strip().isdigit() for row in body),
        notes=(joints.note,) if joints.note else (),
    )


def _columns(header: dict[str, list[str]]) -> Columns:
    parts, coords = header["bodyparts"], header["coords"]
    animals = header.get("individuals", [""] * len(coords))
    columns = {}
    for place, key in enumerate(zip(animals, parts, coords, strict=False)):
        if key[2] in _PLACE:
            columns[key] = place
    return columns


def _pose(
    row: list[str], columns: Columns, animal: str, parts: list[str], where: str
) -> np.ndarray:  # (K, 3)
    table = np.full((len(parts), 3), np.nan)
    table[:, 2] = 1.0
    for number, part in enumerate(parts):
        for coordinate, place in _PLACE.items():
            column = columns.get((animal, part, coordinate))
            if column is None:
                continue
            text = row[column].strip() if column < len(row) else ""
            table[number, place] = _number(text, f"{where}: {part} {coordinate}")
    return table


def _number(text: str, where: str) -> float:
    if not text or text.lower() == "nan":  # pandas writes either for a joint that is not there
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not abs(value) <= LARGEST:
        raise ValueError(f"{where}: {text[:40]!r}, expected a number")
    return value
