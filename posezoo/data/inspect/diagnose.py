"""What is wrong with a store or with motion capture: named faults, each with its cure.

Training refuses a store whose numbers are wrong (`store_check`); this says which mistake made them
so. 3D must project onto 2D, and each mistake leaves a trace of its own between the two
(`diagnose_projection`); bodies keep their bones, sides and motion (`diagnose_bodies`) and stand in
a room as people do (`diagnose_room`); joints lie on their pictures (`diagnose_pictures`), not where
unknown ones are put (`diagnose_missing`); detections are near the truth (`detected`). What 2D and
3D have wrong alike, such as the shifted sequences of Human3.6M's S9, shows in none of them:
see `h36m_faults`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.inspect.detected import Detected, diagnose_detections, measure_detections
from posezoo.data.inspect.diagnose_bodies import diagnose_bodies
from posezoo.data.inspect.diagnose_missing import count_missing, diagnose_missing
from posezoo.data.inspect.diagnose_pictures import diagnose_pictures
from posezoo.data.inspect.diagnose_projection import BINS_PX, Errors, diagnose_projection
from posezoo.data.inspect.diagnose_room import diagnose_room
from posezoo.data.inspect.evidence import Evidence, Finding, is_store, load_mocap, load_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was looked at and what was found."""

    path: str
    poses: int
    findings: list[Finding]  # the most frames first
    views: list[Errors]  # 3D projected against 2D, by camera; empty for motion capture
    sequences: list[Errors]  # and by sequence, the worst first
    missing2d: dict[str, int]  # poses that lack a 2D joint ("any"), and each joint's own count
    detections: dict[str, Detected]  # against the truth, by name; empty for motion capture

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"sound": self.sound, "bins_px": BINS_PX, **asdict(self)}


def diagnose(path: str | Path) -> Diagnosis:
    """Look at every item of a store, or at every pose of a `*_poses17.h5` or a folder of them.

    Raises:
        ValueError: the file is missing, cut, or not laid out as its format says.
    """
    evidence = load_store(path) if is_store(path) else load_mocap(path)
    with np.errstate(all="ignore"):  # numbers may be anything: that is what is looked for
        return _diagnosed(path, evidence)


def _diagnosed(path: str | Path, evidence: Evidence) -> Diagnosis:
    findings = diagnose_bodies(evidence)
    views: list[Errors] = []
    sequences: list[Errors] = []
    measurable = not any(finding.fault == "no-number" for finding in findings)
    if measurable:
        findings += diagnose_room(evidence) + diagnose_missing(evidence)
    if evidence.store is not None and measurable:
        found, views, sequences = diagnose_projection(evidence)
        findings += found + diagnose_pictures(evidence) + diagnose_detections(evidence)
    return Diagnosis(
        path=str(path),
        poses=len(evidence),
        findings=_once(findings),
        views=views,
        sequences=sequences,
        missing2d=count_missing(evidence),
        detections={} if evidence.store is None else measure_detections(evidence.store),
    )


def _once(findings: list[Finding]) -> list[Finding]:
    """One finding per fault and place: the first, which saw the most."""
    ordered = sorted(findings, key=lambda each: -each.frames)
    return list({(each.fault, each.where): each for each in reversed(ordered)}.values())[::-1]
