"""2D joints from a file, whoever wrote it: what every reader gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.data.keypoints.joint_sets import Joints
from posezoo.skeleton import Skeleton

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPose:
    """One person in one picture."""

    px: Floats  # (J, 2) px of the picture, x right, y down; NaN where nothing is known
    confidence: Floats  # (J,) 0 to 1; 0 where nothing is known
    id: int | None = None  # the same person's through a video
    score: float | None = None  # of the person, 0 to 1
    box_px: Floats | None = None  # (4,) x, y of the top-left corner, width, height


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointFrame:
    """The people of one picture."""

    name: str  # of the picture, as the file calls it
    people: tuple[FoundPose, ...]
    size_px: tuple[int, int] | None = None  # width, height


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointFile:
    """A file, or a folder of one file for each picture."""

    tool: str  # who writes such files
    skeleton: Skeleton
    frames: tuple[KeypointFrame, ...]
    video: bool  # the frames follow each other; else they are pictures of this and that
    notes: tuple[str, ...] = ()  # what was assumed, and what was left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is to be read, and what the user says of it."""

    path: Path
    joints: Skeleton | None = None  # of the file
    size_px: tuple[int, int] | None = None  # width and height of its pictures
    trust: bool = False  # read pickled objects in an .npz

    def size(self, tool: str) -> tuple[int, int]:
        """The size of the pictures.

        Raises:
            ValueError: the user has not told it.
        """
        if self.size_px is None:
            raise ValueError(
                f"{self.path}: {tool} writes shares of the picture's size, not px: give the size "
                "by --width PX --height PX"
            )
        return self.size_px


def pose_of(
    rows: Floats,  # (K, 3) x, y in px and confidence, the file's own joints
    joints: Joints,
    *,
    id: int | None = None,
    score: float | None = None,
    box_px: Floats | None = None,
) -> FoundPose:
    """A person from the numbers of a file.

    A joint without confidence, or at (0, 0) exactly, is one that was not found: so all these tools
    mark it. Confidence above 1 (AlphaPose's goes to 6) is 1.
    """
    px = np.full((joints.skeleton.num_joints, 2), np.nan)
    confidence = np.zeros(joints.skeleton.num_joints)
    known = np.isfinite(rows).all(-1) & (rows[:, 2] > 0) & rows[:, :2].any(-1)
    for place, row, there in zip(joints.places, rows, known, strict=True):
        if there and place is not None:
            px[place], confidence[place] = row[:2], min(row[2], 1.0)
    if score is not None:
        score = min(max(score, 0.0), 1.0)
    return FoundPose(px=px, confidence=confidence, id=id, score=score, box_px=box_px)


def grouped(rows: Sequence[tuple[str, FoundPose]]) -> tuple[KeypointFrame, ...]:
    """People under the names of their pictures, in the order in which the file names these."""
    frames: dict[str, list[FoundPose]] = {}
    for name, pose in rows:
        frames.setdefault(name, []).append(pose)
    return tuple(KeypointFrame(name=name, people=tuple(each)) for name, each in frames.items())
