"""One person through the frames of a prediction, as arrays: for files that hold one body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.inference.formats.about import AnyPrediction, frames_of
from posezoo.inference.people import VideoPrediction
from posezoo.skeleton import Skeleton, get_skeleton

Floats: TypeAlias = NDArray[np.float64]

_PICTURE_FPS = 30.0  # of a single picture, in files that must have a rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """F frames, from the first to the last in which the person is seen."""

    id: int
    skeleton: Skeleton
    fps: float
    first_frame: int
    joints3d: Floats  # (F, J, 3) mm, camera frame, root-relative; NaN: not seen
    root_mm: Floats  # (F, 3) mm, camera frame; NaN: not known


def tracks_of(prediction: AnyPrediction) -> list[Track]:
    """Everybody who was lifted to 3D, in the order of their ids."""
    frames = frames_of(prediction)
    fps = prediction.fps if isinstance(prediction, VideoPrediction) else _PICTURE_FPS
    seen: dict[int, list[int]] = {}
    for place, frame in enumerate(frames):
        for person in frame.people:
            if person.joints3d is not None:
                seen.setdefault(person.id, []).append(place)
    tracks = []
    for number, places in sorted(seen.items()):
        first, count = places[0], places[-1] + 1 - places[0]
        people = [
            next(each for each in frames[place].people if each.id == number) for place in places
        ]
        skeleton = get_skeleton(people[0].joint_set)
        joints, root = np.full((count, skeleton.num_joints, 3), np.nan), np.full((count, 3), np.nan)
        for place, person in zip(places, people, strict=True):
            joints[place - first] = person.joints3d
            if person.root_mm is not None:
                root[place - first] = person.root_mm
        tracks.append(
            Track(
                id=number, skeleton=skeleton, fps=fps,
                first_frame=frames[first].frame or first, joints3d=joints, root_mm=root,
            )
        )  # fmt: skip
    return tracks


def placed(
    track: Track,
) -> tuple[Floats, bool]:  # (F, J, 3) mm, y up, right-handed; and whether the place is known
    """The whole body, in the axes of animation files: x right, y up, z towards the camera.

    Where the distance to the camera is not known in any frame, the person stands at the origin with
    the lowest joint of each frame on the floor, y = 0. "Up" is up in the picture.
    """
    known = np.isfinite(track.root_mm).all(-1)
    up = track.joints3d * np.array([1.0, -1.0, -1.0])
    if known.any():
        root = filled(track.root_mm) * np.array([1.0, -1.0, -1.0])
        return up + root[:, None], True
    floor = np.zeros((len(up), 1, 3))
    floor[:, 0, 1] = np.nanmin(np.where(np.isnan(up[..., 1]), np.inf, up[..., 1]), 1)
    floor[~np.isfinite(floor)] = np.nan
    return up - floor, False


def filled(
    values: Floats,  # (F, ...)
) -> Floats:  # (F, ...)
    """Gaps bridged by straight lines; before the first and after the last value it is repeated."""
    flat = values.reshape(len(values), -1).copy()
    frame = np.arange(len(flat))
    for column in flat.T:
        known = np.isfinite(column)
        if known.any():
            column[:] = np.interp(frame, frame[known], column[known])
    return flat.reshape(values.shape)
