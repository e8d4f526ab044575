"""What a prediction holds: people of one picture, and of the frames of a video.

Plain NumPy. The files that hold them are `posezoo.inference.formats`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posezoo.camera import Camera

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person in one picture: what was detected in 2D, and what was lifted to 3D.

    3D is in mm, camera frame (x right, y down, z forward), root-relative with the root exactly 0.
    """

    id: int  # the same person keeps it through a video
    box_px: Floats  # (4,) x, y of the top-left corner, width, height; picture as given
    score: float  # of the detection, 0 to 1
    detected_joint_set: str  # a name of skeletons.toml
    detected2d_px: Floats  # (K, 2) px
    detected_confidence: Floats  # (K,) 0 to 1
    joint_set: str  # of all that follows
    joints2d: Floats  # (J, 2) px: what the lifter was given; NaN where nothing is known
    confidence: Floats  # (J,) 0 to 1
    joints3d: Floats | None  # (J, 3) mm; None: the pipeline has no lifter
    sigma_mm: Floats | None = None  # (J,) 68 % of errors are within it, from a lifter that gives it
    root_mm: Floats | None = None  # (3,) mm, camera frame: joints3d + root_mm is absolute
    warnings: tuple[str, ...] = ()  # where this prediction can be wrong, for people to read


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The people of one picture, or of one frame of a video."""

    source: str  # the file's name as it was given; "" for an array
    width: int  # px
    height: int  # px
    pipeline: str  # the spec, with the names of its weights
    camera: Camera  # parameters (10,) float64
    camera_assumed: bool  # nobody said what the focal length is
    people: tuple[Person, ...]
    frame: int | None = None  # of a video, counted from 0
    time_s: float | None = None  # of a video, since its beginning
    weights: Mapping[str, str] = field(default_factory=dict)  # sha256 of each part's, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPrediction:
    """Every frame of a video, in order."""

    source: str
    fps: float
    frames: tuple[Prediction, ...]
