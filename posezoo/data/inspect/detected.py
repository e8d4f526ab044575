"""A store's detections measured against its truth: how much was found, how far off, what is wrong.

A detector errs, so no distance alone is a fault. Joints that fit better once left and right change
places in most of a recording are one, and so are joints further off than any detector's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posezoo.data.detections.matching import sizes
from posezoo.data.inspect.evidence import Evidence, Finding
from posezoo.data.store.detected_joints import DetectedJoints
from posezoo.data.store.store_file import StoreFile

_CHUNK = 65536  # items looked at together, to keep memory small
_FAR = 0.3  # of a person's size: the median of a recording's distances
_SWAPPED = 0.5  # exchanged sides make the median this much shorter
_FEWEST = 10  # joints of a recording that tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """One detection of a store."""

    source: str
    source_sha256: str
    joint_set: str
    frames: float  # share in which somebody was found
    joints: float  # share of the store's joints that were found
    mean_error_px: float | None  # to the true joints; None: no joint is known in both
    median_error_px: float | None


def measure_detections(store: StoreFile) -> dict[str, Detected]:
    """Every detection of the store, by name."""
    found = {}
    for name, detection in store.detections.items():
        distance, _, known = _distances(store, name)
        off = distance[np.isfinite(distance)]
        found[name] = Detected(
            source=detection.source,
            source_sha256=detection.source_sha256,
            joint_set=detection.skeleton.name,
            frames=float(known.any(1).mean()),
            joints=float(known.mean()),
            mean_error_px=float(off.mean()) if len(off) else None,
            median_error_px=float(np.median(off)) if len(off) else None,
        )
    return found


def diagnose_detections(evidence: Evidence) -> list[Finding]:
    """Recordings whose detections are not of their pictures, or have their sides exchanged."""
    store = evidence.store
    if store is None or evidence.item is None:
        return []
    findings = []
    for name in store.detections:
        distance, crossed, _ = _distances(store, name)
        size = sizes(store)
        kinds = [evidence.code[kind] for kind in ("subject", "sequence", "view")]
        numbers = np.unique(np.stack(kinds, 1), axis=0, return_inverse=True)[1].reshape(-1)
        swapped, far = [], []
        for number in np.unique(numbers):
            rows = np.flatnonzero(numbers == number)
            items = evidence.item[rows]
            own = distance[items] / size[items][:, None]
            other = crossed[items] / size[items][:, None]
            both = np.isfinite(own) & np.isfinite(other)
            if both.sum() < _FEWEST:
                continue
            if np.median(other[both]) < _SWAPPED * np.median(own[both]):
                swapped.append(rows)
            elif np.median(own[both]) > _FAR:
                far.append(rows)
        for fault, parts, text, cure in (
            ("detection-sides", swapped, "fits the truth once left and right change places",
             "add it anew with its true joint set (posezoo data detections --joints)"),
            ("detection-far", far, f"is over {_FAR:g} of a person's size from the truth (median)",
             "add it anew: cameras in their order (--cameras), frames from the first one on"),
        ):  # fmt: skip
            if parts:
                rows = np.concatenate(parts)
                where = evidence.where(rows)
                findings.append(Finding(fault, len(rows), where, f"detection {name} {text}", cure))
    return findings


def _distances(
    store: StoreFile, name: str
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Of each item and joint (N, J), px: to the true joint, to the joint of the other side; found.

    NaN where either is not known; of the second also of joints without another side.
    """
    joints = DetectedJoints.of(store, name)
    mirror = list(store.skeleton.mirror)
    middle = np.arange(len(mirror)) == mirror
    parts = []
    for start in range(0, len(store["subject"]), _CHUNK):
        items = np.arange(start, min(start + _CHUNK, len(store["subject"])))
        px, sure = (each.numpy() for each in joints.rows(items))
        labelled = store["labelled2d"][items] != 0
        true = np.where(labelled[..., None], store["joints2d_px"][items], np.nan)
        own = np.linalg.norm(px - true, axis=-1)
        other = np.where(middle, np.nan, np.linalg.norm(px - true[:, mirror], axis=-1))
        parts.append((own.astype(np.float32), other.astype(np.float32), sure > 0))
    own, other, known = (np.concatenate(each) for each in zip(*parts, strict=True))
    return own, other, known
