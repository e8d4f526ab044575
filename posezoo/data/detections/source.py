"""What every reader of detections gives: recordings of 2D joints, and which camera saw them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.skeleton import Skeleton

Floats: TypeAlias = NDArray[np.float64]

UNSURE = "no confidences in the source: 1 wherever a joint was found"


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedSequence:
    """F frames of a recording by one camera, from its first frame on, P people in each."""

    subject: str
    sequence: str
    view: str | int  # the camera's name, or its place in the order of the file
    px: Floats  # (F, P, K, 2) px; NaN where nothing was found
    confidence: Floats  # (F, P, K) 0 to 1; 0 where nothing was found


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionSource:
    """A file or folder of detections that has been opened."""

    skeleton: Skeleton
    sequences: Iterator[DetectedSequence]
    files: tuple[Path, ...]  # what was read: their bytes are the source's sha256
    views: int = 0  # of each recording, where `view` is a place
    notes: tuple[str, ...] = ()  # what was assumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is to be read, and what the user says of it."""

    path: Path
    joints: Skeleton | None = None  # of the file, where it does not tell it itself
    recording: tuple[str, str, str] | None = None  # subject, sequence, view of a file of one only
    trust: bool = False  # read a pickle
    first_frame: int = 0  # the number that the store gives to a recording's first picture


def found(
    px: Floats,  # (..., 2)
    confidence: Floats | None = None,  # (...)
) -> tuple[Floats, Floats]:
    """The same with NaN and 0 where nothing was found: no number, no confidence, or (0, 0)."""
    sure = np.ones(px.shape[:-1]) if confidence is None else np.clip(confidence, 0, 1)
    known = np.isfinite(px).all(-1) & px.any(-1) & (np.nan_to_num(sure) > 0)
    return np.where(known[..., None], px, np.nan), np.where(known, sure, 0.0)
