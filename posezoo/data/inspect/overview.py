"""What a store or a motion-capture file holds: who, what, how much is labelled, whose it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.hdf5 import read_hdf5, text
from posezoo.data.inspect.bodies import Body, measure_bodies
from posezoo.data.inspect.detected import Detected, measure_detections
from posezoo.data.inspect.evidence import Evidence, is_store, load_mocap, load_store
from posezoo.data.mocap.mocap_file import find_mocap_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Counts of poses, and what the file says of itself."""

    path: str
    format: str
    bytes: int
    poses: int
    joint_set: str
    joints: int
    licence: str
    credit: str
    subject: dict[str, int]  # poses of each
    action: dict[str, int]
    view: dict[str, int]
    sequences: int
    bodies: dict[str, Body]  # of each person with 3D
    held_out: list[str]  # people; empty for motion capture
    labelled2d: float  # share of all joints
    labelled3d: float
    detections: dict[str, Detected]  # by name; of a store
    pictures: int
    picture_px: str  # "640 x 480", or how the sizes range; "" without pictures

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def overview(path: str | Path) -> Overview:
    """Count what is in a store, or in a `*_poses17.h5` or a folder of them.

    Raises:
        ValueError: as `open_store` and `read_mocap`.
    """
    stored = is_store(path)
    evidence = load_store(path) if stored else load_mocap(path)
    files = [Path(path)] if stored else find_mocap_files(path)
    pairs = np.stack([evidence.code["subject"], evidence.code["sequence"]], 1)
    held_out: list[str] = []
    labelled2d, size = 0.0, np.zeros((0, 2), np.int32)
    if evidence.store is not None:
        store = evidence.store
        held_out = store.names("subject")[store["held_out"] != 0].tolist()
        if store.one_person:
            held_out = [f"a part of {name}, the only person" for name in held_out]
        labelled2d = float((store["labelled2d"] != 0).mean())
        size = store["size_px"][store["size_px"].min(1) > 0]
    return Overview(
        path=str(path),
        format="store" if stored else "motion capture",
        bytes=sum(file.stat().st_size for file in files),
        poses=len(evidence),
        joint_set=evidence.skeleton.name,
        joints=evidence.skeleton.num_joints,
        licence=_said(files, "licence") or "unknown",
        credit=_said(files, "credit"),
        subject=_counts(evidence, "subject"),
        action=_counts(evidence, "action"),
        view=_counts(evidence, "view"),
        sequences=len(np.unique(pairs, axis=0)),
        bodies=measure_bodies(evidence),
        held_out=held_out,
        labelled2d=labelled2d,
        labelled3d=float(evidence.labelled3d.mean()),
        detections={} if evidence.store is None else measure_detections(evidence.store),
        pictures=len(size),
        picture_px=_sizes(size),
    )


def _counts(evidence: Evidence, kind: str) -> dict[str, int]:
    names = evidence.names[kind]
    counts = np.bincount(evidence.code[kind], minlength=len(names)).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if name}


def _said(files: list[Path], attribute: str) -> str:
    texts = [
        read_hdf5(path, lambda file: text(file, attribute), expected="see docs/data.md")
        for path in files
    ]
    return "; ".join(dict.fromkeys(filter(None, texts)))


def _sizes(size: np.ndarray) -> str:
    if not len(size):
        return ""
    low, high = size.min(0), size.max(0)
    ranges = (f"{a}" if a == b else f"{a} to {b}" for a, b in zip(low, high, strict=True))
    return " x ".join(ranges)
