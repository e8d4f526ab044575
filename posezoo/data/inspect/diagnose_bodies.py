"""Bodies that cannot be: wrong units, bones that change, sides exchanged, motion that stands still.

Needs 3D only, so it looks at motion capture as well as at stores. Limbs are known by the names of
joints; a joint set without knees and elbows is not looked at for them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.data.inspect.evidence import Evidence, Finding
from posezoo.data.units import check_millimetres
from posezoo.skeleton import Skeleton

_LIMB_ENDS = ("knee", "ankle", "elbow", "wrist")
_BONE_SHARE = 0.25  # a limb bone that is this much longer or shorter than it is on the whole
_SAME_MM = 1e-3  # nobody stands stiller than this
_FROZEN = 3  # equal poses in a row
_SWAP_SHARE = 0.5  # a step that left and right exchanged make this much shorter
_SWAP_MM = 50.0  # the mean step of a joint from which a swap shows
_BENT_MM = 30.0  # how far a bent knee lies off the line from hip to ankle
_BACKWARDS = 0.75  # of the bent knees
_FEWEST = 20  # bent knees that tell the sides

Rows: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


def diagnose_bodies(evidence: Evidence) -> list[Finding]:
    """All findings of this kind."""
    findings = _not_numbers(evidence)
    if findings:  # nothing else can be measured
        return findings
    known = np.flatnonzero(evidence.labelled3d.all(1))
    if not len(known):
        return []
    return [
        *_roots(evidence),
        *_units(evidence, known),
        *_bones(evidence, known),
        *_sides(evidence, known),
        *_swaps(evidence, known),
        *_standstill(evidence, known),
    ]


def _not_numbers(evidence: Evidence) -> list[Finding]:
    columns: dict[str, NDArray[Any]] = {
        "joints3d_mm": evidence.joints3d_mm,
        "root_mm": evidence.root_mm,
    }
    if evidence.store is not None:
        everything = np.arange(len(evidence))
        columns |= {name: evidence.column(name, everything) for name in ("joints2d_px", "camera")}
    findings = []
    for name, values in columns.items():
        rows = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(1))
        if len(rows):
            cure = "leave these frames out, or mark their joints as not labelled and write 0"
            findings.append(_found(evidence, "no-number", rows, f"{name} is NaN or infinite", cure))
    return findings


def _roots(evidence: Evidence) -> list[Finding]:
    rows = np.flatnonzero(evidence.joints3d_mm[:, evidence.skeleton.root].any(1))
    if not len(rows):
        return []
    return [
        _found(
            evidence,
            "root-not-zero",
            rows,
            "joints3d_mm is not relative to the root joint",
            "subtract the root joint from joints3d_mm and write it to root_mm",
        )
    ]


def _units(evidence: Evidence, known: Rows) -> list[Finding]:
    if not {"right_hip", "right_knee"} <= set(evidence.skeleton.joints):
        return []
    findings = []
    for subject in np.unique(evidence.code["subject"][known]):
        rows = known[evidence.code["subject"][known] == subject]
        joints = evidence.joints3d_mm[rows]
        text = _not_in_mm(joints, evidence.skeleton)
        if text:
            metres = not _not_in_mm(joints * 1000, evidence.skeleton)
            fault = "metres-for-millimetres" if metres else "wrong-unit"
            cure = f"{'multiply by 1000' if metres else 'write in mm'}: joints3d_mm, and root_mm"
            findings.append(_found(evidence, fault, rows, text, cure))
    return findings


def _not_in_mm(joints: NDArray[np.floating], skeleton: Skeleton) -> str:
    try:
        check_millimetres(joints, skeleton)
    except ValueError as error:
        return str(error)
    return ""


def _bones(evidence: Evidence, known: Rows) -> list[Finding]:
    """Limb bones against their median over the sequence as one camera filmed it."""
    limbs = _limbs(evidence.skeleton)
    if not limbs:
        return []
    parents, ends = map(list, zip(*limbs, strict=True))
    joints = evidence.joints3d_mm[known]
    lengths = np.linalg.norm(joints[:, ends] - joints[:, parents], axis=-1).astype(np.float64)
    wrong = np.zeros(len(known), bool)
    for rows in _takes(evidence, known):
        usual = np.median(lengths[rows], 0)
        wrong[rows] = (np.abs(lengths[rows] - usual) > _BONE_SHARE * usual).any(1)
    if not wrong.any():
        return []
    return [
        _found(
            evidence,
            "bones-change",
            known[wrong],
            f"a limb bone is over {_BONE_SHARE:.0%} longer or shorter than in the other frames of "
            "its sequence",
            "leave these frames out; if whole sequences are scaled, undo it in 3D and root alike",
        )
    ]


def _sides(evidence: Evidence, known: Rows) -> list[Finding]:
    """Knees bend forward. Forward is left x up; backward knees are left and right exchanged."""
    skeleton = evidence.skeleton
    names = [f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle")]
    if not {*names, "thorax"} <= set(skeleton.joints):
        return []
    joints = evidence.joints3d_mm[known].astype(np.float64)
    lh, lk, la, rh, rk, ra, thorax = (
        joints[:, skeleton.joints.index(name)] for name in (*names, "thorax")
    )
    forward = np.cross(lh - rh, thorax - (lh + rh) / 2)
    forward /= np.linalg.norm(forward, axis=-1, keepdims=True).clip(1e-9)
    bends = []
    for hip, knee, ankle in ((lh, lk, la), (rh, rk, ra)):
        line = ankle - hip
        line /= np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-9)
        off = knee - hip
        off = off - (off * line).sum(-1, keepdims=True) * line
        bends.append((off * forward).sum(-1))
    findings = []
    for rows in _takes(evidence, known, kinds=("subject", "sequence")):
        bend = np.concatenate([each[rows] for each in bends])
        bent = np.abs(bend) > _BENT_MM
        if bent.sum() >= _FEWEST and (bend[bent] < 0).mean() > _BACKWARDS:
            findings.append(known[rows])
    if not findings:
        return []
    return [
        _found(
            evidence,
            "mirrored",
            np.concatenate(findings),
            f"over {_BACKWARDS:.0%} of the bent knees bend backwards: left and right are "
            "exchanged in 2D and 3D alike, or the 3D is a mirror image",
            "exchange the left and right joints of 2D and 3D (is the joint order the store's?)",
        )
    ]


def _swaps(evidence: Evidence, known: Rows) -> list[Finding]:
    """Steps that are much shorter if left and right change places on the way."""
    skeleton = evidence.skeleton
    earlier, later = _neighbours(evidence, known)
    if not skeleton.left or not len(later):
        return []
    sides = [*skeleton.left, *skeleton.right]
    others = [*skeleton.right, *skeleton.left]
    joints = evidence.joints3d_mm + evidence.root_mm[:, None]
    before, after = joints[earlier][:, sides], joints[later]
    plain = np.linalg.norm(after[:, sides] - before, axis=-1).mean(-1)
    crossed = np.linalg.norm(after[:, others] - before, axis=-1).mean(-1)
    rows = later[(plain > _SWAP_MM) & (crossed < _SWAP_SHARE * plain)]
    if not len(rows):
        return []
    return [
        _found(
            evidence,
            "left-right-swap",
            rows,
            "left and right of the 3D change places from one frame to the next",
            "exchange left and right between each of these frames and the next of them",
        )
    ]


def _standstill(evidence: Evidence, known: Rows) -> list[Finding]:
    earlier, later = _neighbours(evidence, known)
    joints = evidence.joints3d_mm + evidence.root_mm[:, None]
    still = np.abs(joints[later] - joints[earlier]).max((1, 2), initial=0) < _SAME_MM
    again = evidence.frame[later] == evidence.frame[earlier]
    run = np.zeros(len(later), np.int64)  # equal steps up to here, without a break
    for k in np.flatnonzero(still):
        run[k] = 1 + (run[k - 1] if k and still[k - 1] and later[k - 1] == earlier[k] else 0)
    frozen = np.zeros(len(later), bool)
    for k in np.flatnonzero(run >= _FROZEN - 1):
        frozen[k - run[k] + 1 : k + 1] = True
    findings = []
    if frozen.any():
        text = f"the pose stays the same to {_SAME_MM} mm for {_FROZEN} frames or more"
        cure = "leave all but the first of these frames out: the capture stood still"
        findings.append(_found(evidence, "frozen", later[frozen], text, cure))
    doubled = (still & ~frozen) | (again & ~still)
    if doubled.any():
        text = "a frame has the pose, or the number, of the frame before it"
        cure = "leave the second of each two out; was a video of another rate filled up?"
        findings.append(_found(evidence, "duplicated", later[doubled], text, cure))
    return findings


def _found(evidence: Evidence, fault: str, rows: Rows, text: str, cure: str) -> Finding:
    return Finding(fault, len(rows), evidence.where(rows), text, cure)


def _limbs(skeleton: Skeleton) -> list[tuple[int, int]]:
    return [bone for bone in skeleton.bones if skeleton.joints[bone[1]].endswith(_LIMB_ENDS)]


def _takes(
    evidence: Evidence, known: Rows, kinds: tuple[str, ...] = ("subject", "sequence", "view")
) -> list[Rows]:
    """Places in `known` that belong together."""
    keys = np.stack([evidence.code[kind][known] for kind in kinds], 1)
    numbers = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _neighbours(evidence: Evidence, known: Rows) -> tuple[Rows, Rows]:
    """Rows and the next rows of the same sequence and camera."""
    earlier, later = known[:-1], known[1:]
    same = np.ones(len(later), bool)
    for kind in ("subject", "sequence", "view"):
        same &= evidence.code[kind][earlier] == evidence.code[kind][later]
    return earlier[same], later[same]
