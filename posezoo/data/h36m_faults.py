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
from posezoo.data.shot import Shot


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What is done to some sequences of one person."""

    summary: str
    subject: str
    sequences: list[str]
    views: Sequence[str] = ()  # none: all
    shift_world_mm: Sequence[float] | None = None  # None: the sequences are dropped

    def concerns(self, shot: Shot) -> bool:
        """Whether the shot is one of those sequences, in whichever way the source writes them."""
        name = shot.sequence.replace("_", " ").strip()
        name = name.removeprefix(f"{self.subject} ").removesuffix(shot.view).rstrip(" .")
        return (
            shot.subject == self.subject
            and name in self.sequences
            and (not self.views or shot.view in self.views)
        )


@cache
def fixes() -> dict[str, Fix]:
    """All fixes by name."""
    text = files("posezoo.data").joinpath("h36m_faults.toml").read_text(encoding="utf-8")
    tables: dict[str, dict[str, Any]] = tomllib.loads(text)
    return {name: Fix(**table) for name, table in tables.items()}


def apply_fix(
    shots: Iterable[Shot],
    names: Iterable[str],
    *,
    world_to_camera: Mapping[tuple[str, str], NDArray[np.floating]] | None = None,
) -> Iterator[Shot]:
    """The shots, with the named faults put right.

    Args:
        shots: of Human3.6M, in the camera frame.
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

    def fixed() -> Iterator[Shot]:
        for shot in shots:
            mine = [fix for fix in chosen if fix.concerns(shot)]
            if any(fix.shift_world_mm is None for fix in mine):
                continue
            moved = shot
            for fix in mine:
                moved = _moved(moved, fix, rotations.get((shot.subject, shot.view)))
            yield moved

    return fixed()


def _moved(shot: Shot, fix: Fix, rotation: NDArray[np.floating] | None) -> Shot:
    if rotation is None:
        raise ValueError(
            f"{shot.subject} {shot.sequence}: moving it in the world needs the rotation of camera "
            f"{shot.view}; give a camera file with extrinsics, or take drop-s9-shifted instead"
        )
    root = shot.root_mm + np.asarray(rotation) @ np.array(fix.shift_world_mm)
    camera = Camera(torch.from_numpy(np.broadcast_to(shot.camera, (len(shot), 10)).copy()))
    points = (shot.joints3d_mm + root[:, None]).astype(np.float64)
    return replace(shot, root_mm=root, joints2d_px=camera.project(torch.from_numpy(points)).numpy())
