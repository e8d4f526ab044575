"""Known faults of Human3.6M as fixes with names, which a converter or a protocol switches on.

The faults themselves are data: `h36m_faults.toml`. None of them shows in the store: 2D and 3D of
the shifted sequences are off together (`diagnose` says so too), so a name is all that tells them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from posezoo.camera import Camera
from posezoo.data.store.pose_sequence import PoseSequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What is done to some sequences of one person."""

    summary: str
    subject: str
    sequences: list[str]
    views: Sequence[str] = ()  # none: all
    shift_world_mm: Sequence[float] | None = None  # None: the sequences are dropped

    def concerns(self, clip: PoseSequence) -> bool:
        """Whether the clip is one of those sequences, in whichever way the source writes them."""
        name = clip.sequence.replace("_", " ").strip()
        name = name.removeprefix(f"{self.subject} ").removesuffix(clip.view).rstrip(" .")
        return (
            clip.subject == self.subject
            and name in self.sequences
            and (not self.views or clip.view in self.views)
        )


@cache
def fixes() -> dict[str, Fix]:
    """All fixes by name."""
    text = files("posezoo.data.convert").joinpath("h36m_faults.toml").read_text(encoding="utf-8")
    tables: dict[str, dict[str, Any]] = tomllib.loads(text)
    return {name: Fix(**table) for name, table in tables.items()}


def apply_fix(
    sequences: Iterable[PoseSequence],
    names: Iterable[str],
    *,
    world_to_camera: Mapping[tuple[str, str], NDArray[np.floating]] | None = None,
) -> Iterator[PoseSequence]:
    """The sequences, with the named faults put right.

    Args:
        sequences: of Human3.6M, in the camera frame.
        names: of `fixes()`.
        world_to_camera: the rotation (3, 3) of each (subject, view), for fixes that move people.

    Raises:
        ValueError: an unknown name, or no rotation where one is needed.
    """
    known = fixes()
    unknown = sorted(set(names := list(names)) - set(known))
    if unknown:
        raise ValueError(f"unknown fix {', '.join(unknown)}. Known: {', '.join(known)}")
    chosen = [known[name] for name in names]
    rotations = world_to_camera or {}

    def fixed() -> Iterator[PoseSequence]:
        for clip in sequences:
            mine = [fix for fix in chosen if fix.concerns(clip)]
            if any(fix.shift_world_mm is None for fix in mine):
                continue
            moved = clip
            for fix in mine:
                moved = _moved(moved, fix, rotations.get((clip.subject, clip.view)))
            yield moved

    return fixed()


def _moved(clip: PoseSequence, fix: Fix, rotation: NDArray[np.floating] | None) -> PoseSequence:
    if rotation is None:
        raise ValueError(
            f"{clip.subject} {clip.sequence}: moving it in the world needs the rotation of camera "
            f"{clip.view}; give a camera file with extrinsics, or take drop-s9-shifted instead"
        )
    root = clip.root_mm + np.asarray(rotation) @ np.array(fix.shift_world_mm)
    camera = Camera(torch.from_numpy(np.broadcast_to(clip.camera, (len(clip), 10)).copy()))
    points = (clip.joints3d_mm + root[:, None]).astype(np.float64)
    return replace(clip, root_mm=root, joints2d_px=camera.project(torch.from_numpy(points)).numpy())
