"""Pictures and what lies on them: joints outside, and videos that stand still while people move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posezoo.data.inspect.evidence import Evidence, Finding

_OUTSIDE = 0.1  # of the labelled joints of one camera; people who walk out of it stay below
_MOVED_PX = 2.0  # between two equal pictures


def diagnose_pictures(evidence: Evidence) -> list[Finding]:
    """All findings of this kind; a store without pictures has none."""
    everything = np.arange(len(evidence))
    size = evidence.column("size_px", everything)
    if not size.any():
        return []
    return [*_outside(evidence, size), *_frozen(evidence)]


def _outside(evidence: Evidence, size: NDArray[np.integer]) -> list[Finding]:
    everything = np.arange(len(evidence))
    px = evidence.column("joints2d_px", everything)
    labelled = evidence.column("labelled2d", everything) != 0
    outside = labelled & ~((px >= -0.5) & (px < size[:, None] - 0.5)).all(-1)
    findings = []
    for view in np.unique(evidence.code["view"]):
        rows = np.flatnonzero(evidence.code["view"] == view)
        share = outside[rows].sum() / max(labelled[rows].sum(), 1)
        if share > _OUTSIDE:
            wrong = rows[outside[rows].any(1)]
            width, height = np.median(size[rows], 0)
            centre = np.median(evidence.column("camera", rows)[:, 2:4], 0)
            findings.append(
                Finding(
                    "outside-picture",
                    len(wrong),
                    evidence.where(wrong),
                    f"{share:.0%} of the joints lie outside pictures of {width:.0f} x {height:.0f} "
                    f"px; the camera's centre is at ({centre[0]:.0f}, {centre[1]:.0f})",
                    "give 2D and camera for the stored pictures: both change when a picture is "
                    "resized or cropped (Camera.resampled)",
                )
            )
    return findings


def _frozen(evidence: Evidence) -> list[Finding]:
    """Neighbours with the same picture, byte for byte, and another pose."""
    assert evidence.store is not None and evidence.item is not None
    ends, data = evidence.store["picture_end"], evidence.store["pictures"]
    starts = np.concatenate([[0], ends[:-1]])
    same = np.ones(max(len(evidence) - 1, 0), bool)
    for kind in ("subject", "sequence", "view"):
        same &= np.diff(evidence.code[kind]) == 0
    a, b = evidence.item[:-1], evidence.item[1:]
    px = evidence.store["joints2d_px"]
    length = ends - starts
    same &= (length[a] == length[b]) & (length[a] > 0)
    rows = [
        row + 1
        for row in np.flatnonzero(same)
        if np.abs(px[a[row]] - px[b[row]]).max() > _MOVED_PX
        and np.array_equal(data[starts[a[row]] : ends[a[row]]], data[starts[b[row]] : ends[b[row]]])
    ]
    if not rows:
        return []
    return [
        Finding(
            "frozen-pictures",
            len(rows),
            evidence.where(np.array(rows)),
            "the picture stays the same while the pose moves on",
            "leave these frames out: the video is damaged (Human3.6M's S11 Directions is: see "
            "the fix drop-s11-video)",
        )
    ]
