"""Joints that are said to be known and hold the zeros of a joint that nobody found.

Many tools write (0, 0) px, or (0, 0, 0), for what they do not see. Labelled, such a joint is taught
as a place. In 3D it lies where the origin is: the root's in a store, the room's in motion capture.
"""

from __future__ import annotations

import numpy as np

from posezoo.data.inspect.evidence import Evidence, Finding

_CURE = "mark these joints as not labelled: leave the cells empty (NaN, null) and convert again"


def count_missing(evidence: Evidence) -> dict[str, int]:
    """How many poses of a store lack a 2D joint ("any"), and how many each; empty for none.

    No fault: what is not labelled is not there. Lifters that take no confidence are not told them.
    """
    if evidence.store is None:
        return {}
    lacks = evidence.column("labelled2d", np.arange(len(evidence))) == 0
    each = dict(zip(evidence.skeleton.joints, lacks.sum(0).tolist(), strict=True))
    counts = {"any": int(lacks.any(1).sum())} | each
    return {name: count for name, count in counts.items() if count}


def diagnose_missing(evidence: Evidence) -> list[Finding]:
    """Frames with such a joint, in 2D and in 3D."""
    skeleton = evidence.skeleton
    absolute = evidence.joints3d_mm
    if evidence.store is None:
        absolute = absolute + evidence.root_mm[:, None]
    zero3d = ~absolute.any(-1) & evidence.labelled3d
    if evidence.store is not None:
        zero3d[:, skeleton.root] = False  # it belongs there
    found = [("missing-joint-3d", zero3d, "(0, 0, 0) mm")]
    if evidence.store is not None:
        everything = np.arange(len(evidence))
        zero2d = ~evidence.column("joints2d_px", everything).any(-1)
        zero2d &= evidence.column("labelled2d", everything) != 0
        found.append(("missing-joint-2d", zero2d, "(0, 0) px"))
    findings = []
    for fault, zero, place in found:
        rows = np.flatnonzero(zero.any(1))
        if len(rows):
            names = [skeleton.joints[j] for j in np.flatnonzero(zero.any(0))]
            text = f"labelled and exactly at {place}: {', '.join(names)}"
            findings.append(Finding(fault, len(rows), evidence.where(rows), text, _CURE))
    return findings
