"""Where the 3D does not fall onto the 2D, and which mistake would make it so.

For every person and camera, each suspected mistake is undone in turn. The one that brings most of
the wrong frames back onto their 2D is named, and the rest is tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posezoo.data.inspect.diagnose_mistakes import (
    BEHIND_PX,
    UNEXPLAINED,
    Floats,
    Mistake,
    Rows,
    known_mistakes,
)
from posezoo.data.inspect.evidence import Evidence, Finding

BINS_PX = (0.0, 0.01, 0.1, 0.5, 1.0, 5.0, 20.0)  # lower edges; the last bin is open
_RIGHT_PX = 0.01  # float32 numbers of a whole chain stay below a tenth of it
_CLOSER = 0.1  # a mistake undone leaves less than this share of the distance
_WRONG_PX = 0.5  # what training refuses, whatever the cause
_CHUNK = 16384
_TRIED = 2048  # wrong frames of one person and camera that mistakes are tried on
_REFITS = 2


@dataclass(frozen=True, slots=True)
class Errors:
    """Distances between projected 3D and 2D, of the worst joint of each frame."""

    name: str
    frames: int
    median_px: float
    p95_px: float
    max_px: float
    histogram: list[int]  # frames in each of `BINS_PX`


def diagnose_projection(
    evidence: Evidence,
) -> tuple[list[Finding], list[Errors], list[Errors]]:
    """Findings, then the errors by camera and by sequence, the worst first."""
    errors = np.zeros(len(evidence))
    for start in range(0, len(evidence), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(evidence)))
        errors[rows] = _load(evidence, rows).errors()
    views = len(evidence.names["view"])
    group = evidence.code["subject"] * views + evidence.code["view"]
    wrong = errors > _RIGHT_PX
    blamed: dict[tuple[str, str, str], list[tuple[NDArray[np.int64], str]]] = {}
    for number in np.unique(group[wrong]):
        rows = np.flatnonzero(wrong & (group == number))
        mirror = evidence.skeleton.mirror
        for mistake, mine, detail in _blame(_load(evidence, rows), errors[rows], mirror):
            key = (mistake.fault, mistake.evidence, mistake.cure)
            blamed.setdefault(key, []).append((rows[mine], detail))
    findings = [_finding(evidence, errors, key, parts) for key, parts in blamed.items()]
    return findings, *_tables(evidence, errors)


def _finding(
    evidence: Evidence,
    errors: Floats,  # (N,) px
    key: tuple[str, str, str],  # fault, evidence, cure
    parts: list[tuple[NDArray[np.int64], str]],  # rows of a person and camera, and what was fitted
) -> Finding:
    fault, text, cure = key
    rows = np.concatenate([each for each, _ in parts])
    worst = errors[rows].max()
    off = f"up to {worst:.3g} px off" if worst < BEHIND_PX else "some behind the camera"
    details = parts[0][1]
    if len({detail for _, detail in parts}) > 1:
        details += f" for {_camera_of(evidence, parts[0][0])}, others for others"
    return Finding(fault, len(rows), evidence.where(rows), f"{text}{details} ({off})", cure)


def _camera_of(evidence: Evidence, rows: NDArray[np.int64]) -> str:
    names = (evidence.names[kind][evidence.code[kind][rows[0]]] for kind in ("subject", "view"))
    return " ".join(names).strip()


def _tables(evidence: Evidence, errors: Floats) -> tuple[list[Errors], list[Errors]]:
    names, code = evidence.names, evidence.code
    labelled2d = evidence.column("labelled2d", np.arange(len(evidence))) != 0
    filmed = (evidence.labelled3d & labelled2d).any(1)
    count = len(names["sequence"])
    pairs = [f"{person} {name}" for person in names["subject"] for name in names["sequence"]]
    recording = code["subject"] * count + code["sequence"]
    views = _table(errors[filmed], code["view"][filmed], names["view"])
    sequences = _table(errors[filmed], recording[filmed], pairs)
    return views, sorted(sequences, key=lambda each: -each.max_px)


def _load(evidence: Evidence, rows: NDArray[np.int64]) -> Rows:
    return Rows(
        px=evidence.column("joints2d_px", rows).astype(np.float64),
        joints=evidence.joints3d_mm[rows].astype(np.float64),
        root=evidence.root_mm[rows].astype(np.float64),
        camera=evidence.column("camera", rows).astype(np.float64),
        known=evidence.labelled3d[rows] & (evidence.column("labelled2d", rows) != 0),
    )


def _blame(
    rows: Rows,
    errors: Floats,  # (M,) px
    mirror: tuple[int, ...],
) -> list[tuple[Mistake, NDArray[np.int64], str]]:
    """Mistakes with the rows that each explains, the commonest first."""
    blamed = []
    mistakes = known_mistakes(mirror, bool(rows.camera[:, 4:9].any()))
    left = np.arange(len(errors))
    while len(left):
        some = left[np.unique(np.linspace(0, len(left) - 1, min(len(left), _TRIED)).astype(int))]
        best = max(
            (_try(mistake, rows[some], errors[some]) for mistake in mistakes),
            key=lambda trial: trial.explains,
        )
        mine = _explained(best.undo(rows[left]).errors(), errors[left])
        if not best.explains or not mine.any():
            break
        blamed.append((best.mistake, left[mine], best.detail))
        left = left[~mine]
    left = left[errors[left] > _WRONG_PX]
    if len(left):
        blamed.append((UNEXPLAINED, left, ""))
    return blamed


@dataclass(frozen=True, slots=True)
class _Trial:
    mistake: Mistake
    undo: Callable[[Rows], Rows]
    detail: str
    explains: int  # rows


def _try(mistake: Mistake, rows: Rows, errors: Floats) -> _Trial:
    undo, detail = mistake.fit(rows)
    after = undo(rows).errors()
    for _ in range(_REFITS):  # without the rows that are wrong in other ways
        undo, detail = mistake.fit(rows[after <= np.median(after)])
        after = undo(rows).errors()
    return _Trial(mistake, undo, detail, int(_explained(after, errors).sum()))


def _explained(after: Floats, before: Floats) -> NDArray[np.bool_]:
    return after < np.maximum(_CLOSER * before, _RIGHT_PX / 2)


def _table(errors: Floats, code: NDArray[np.int64], names: list[str]) -> list[Errors]:
    tables = []
    order = np.argsort(code, kind="stable")
    present, starts = np.unique(code[order], return_index=True)
    for number, part in zip(present, np.split(errors[order], starts)[1:], strict=True):
        median, p95 = np.quantile(part, (0.5, 0.95))
        histogram = np.histogram(part, (*BINS_PX, np.inf))[0].tolist()
        tables.append(
            Errors(
                names[number], len(part), float(median), float(p95), float(part.max()), histogram
            )
        )
    return tables
