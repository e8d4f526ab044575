"""People that cannot stand in a room: too tall, of torn bones, far from the floor, on their heads.

The floor is known in motion capture only, at z = 0. In CMU and HDM05 (532 recordings) the lowest
ankle of a recording is -28 to 221 mm above it (5th percentile), lying and climbing included.
"""

from __future__ import annotations

import numpy as np

from posezoo.data.convert.source_sequence import upside_down
from posezoo.data.inspect.evidence import Evidence, Finding
from posezoo.data.units import HEIGHT_MM, check_body, check_millimetres, height_mm

_ANKLE_MM = (-150.0, 450.0)  # the lowest ankle of a recording
_FEWEST = 10  # poses of a recording that tell the floor


def diagnose_room(evidence: Evidence) -> list[Finding]:
    """All findings of this kind; none of people in a wrong unit, which is said elsewhere."""
    known = np.flatnonzero(evidence.labelled3d.all(1))
    if not {"left_ankle", "right_ankle", "right_hip", "right_knee"} <= set(
        evidence.skeleton.joints
    ):
        return []
    findings = []
    for number in np.unique(evidence.code["subject"][known]):
        rows = known[evidence.code["subject"][known] == number]
        if _in_mm(evidence, rows):
            findings += _body(evidence, rows)
            findings += _floor(evidence, rows)
            findings += _heads(evidence, rows)
    return findings


def _in_mm(evidence: Evidence, rows: np.ndarray) -> bool:
    try:
        check_millimetres(evidence.joints3d_mm[rows], evidence.skeleton)
    except ValueError:
        return False
    return True


def _body(evidence: Evidence, rows: np.ndarray) -> list[Finding]:
    joints = evidence.joints3d_mm[rows]
    try:
        check_body(joints, evidence.skeleton, option="convert it again with its true unit")
    except ValueError as error:
        height = height_mm(joints, evidence.skeleton)
        out = height is not None and not HEIGHT_MM[0] <= height <= HEIGHT_MM[1]
        fault, cure = (
            ("height", "convert the source again and say its unit (--unit mm|cm|m|inch)")
            if out and "such bones" not in str(error)
            else ("no-body", "is the joint order the store's? convert the source again")
        )
        return [Finding(fault, len(rows), evidence.where(rows), str(error), cure)]
    return []


def _heads(evidence: Evidence, rows: np.ndarray) -> list[Finding]:
    """Recordings of a store in which people stand on their heads."""
    if evidence.store is None:
        return []
    group = np.stack([evidence.code[kind][rows] for kind in ("sequence", "view")], 1)
    number = np.unique(group, axis=0, return_inverse=True)[1].reshape(-1)
    wrong = [
        mine
        for each in np.unique(number)
        if len(mine := rows[number == each]) >= _FEWEST
        and upside_down(evidence.joints3d_mm[mine].astype(np.float64), evidence.skeleton)
    ]
    if not wrong:
        return []
    found = np.concatenate(wrong)
    text = "people stand on their heads all the time: their ankles are above their shoulders"
    cure = (
        "does y point up in the source? Expected x right, y down, z forward: multiply y by -1, and "
        "z too where people are behind the camera, and convert again"
    )
    return [Finding("y-up", len(found), evidence.where(found), text, cure)]


def _floor(evidence: Evidence, rows: np.ndarray) -> list[Finding]:
    if evidence.store is not None:  # a camera's frame knows no floor
        return []
    index = [evidence.skeleton.joints.index(f"{side}_ankle") for side in ("left", "right")]
    lowest = (evidence.joints3d_mm[rows][:, index, 2] + evidence.root_mm[rows, 2:]).min(1)
    sequence = evidence.code["sequence"][rows]
    wrong, levels = [], []
    for number in np.unique(sequence):
        mine = sequence == number
        level = float(np.percentile(lowest[mine], 5))
        if mine.sum() >= _FEWEST and not _ANKLE_MM[0] <= level <= _ANKLE_MM[1]:
            wrong.append(rows[mine])
            levels.append(level)
    if not wrong:
        return []
    found = np.concatenate(wrong)
    text = (
        f"the lowest ankle of a recording is {levels[0]:.0f} mm above the floor (z = 0), expected "
        f"{_ANKLE_MM[0]:.0f} to {_ANKLE_MM[1]:.0f}"
    )
    cure = "move the floor to z = 0; of a .bvh, convert it again with --root-offset add or replace"
    return [Finding("off-the-floor", len(found), evidence.where(found), text, cure)]
