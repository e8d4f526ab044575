"""Who is who from frame to frame: the cheapest pairing of boxes and joints (Hungarian method).

The simplest that holds: everybody is expected where they were last, moved on by their own speed;
whoever is not found keeps the id for some frames.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.contracts import DetectedPerson

Floats: TypeAlias = NDArray[np.float64]

MOST_MISSED = 15  # frames; after that a person who comes back is somebody new
_WORST = 0.8  # cost of a pair that may still be one person
_FAR = 0.6  # mean distance of joints over the box's side at which a pair has nothing in common
_NEWEST = 0.5  # share of the newest step in the speed


@dataclass(slots=True)
class _Track:
    id: int
    box: Floats  # (4,) px, where last seen
    joints: Floats  # (J, 2) px
    speed: Floats  # (2,) px a frame
    missed: int = 0

    def move(self, box: Floats, joints: Floats) -> None:
        step = (_middle(box) - _middle(self.box)) / self.missed
        self.speed = self.speed + _NEWEST * (step - self.speed)
        self.box, self.joints, self.missed = box, joints, 0


class Tracker:
    """Give it each frame's people in turn; it gives their ids, counted from 0.

    Raises:
        ValueError: SciPy is not installed.
    """

    def __init__(self, *, most_missed: int = MOST_MISSED) -> None:
        try:
            optimize = importlib.import_module("scipy.optimize")
        except ImportError as error:
            raise ValueError(
                "ids through a video need the package scipy: pip install 'posezoo[video]', or "
                "--no-track"
            ) from error
        self._assign = optimize.linear_sum_assignment
        self._most_missed, self._tracks, self._next = most_missed, list[_Track](), 0

    def __call__(self, people: Sequence[DetectedPerson]) -> list[int]:
        """The id of each person of the next frame."""
        boxes = [person.box_px.cpu().double().numpy() for person in people]
        joints = [person.joints2d.cpu().double().numpy() for person in people]
        cost = np.array([
            [_cost(track, box, points) for box, points in zip(boxes, joints, strict=True)]
            for track in self._tracks
        ]).reshape(len(self._tracks), len(people))  # fmt: skip
        pairs = {
            int(place): self._tracks[row]
            for row, place in zip(*self._assign(cost), strict=True)
            if cost[row, place] <= _WORST
        }
        for track in self._tracks:
            track.missed += 1
        ids = []
        for place, (box, points) in enumerate(zip(boxes, joints, strict=True)):
            if place not in pairs:
                pairs[place] = _Track(self._next, box, points, np.zeros(2), missed=1)
                self._tracks.append(pairs[place])
                self._next += 1
            pairs[place].move(box, points)
            ids.append(pairs[place].id)
        self._tracks = [track for track in self._tracks if track.missed <= self._most_missed]
        return ids


def overlap(
    one: Floats,  # (4,) x, y, width, height
    other: Floats,  # (4,)
) -> float:  # 0 to 1
    """Intersection over union of two boxes."""
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    both = float(np.prod(np.maximum(high - low, 0)))
    union = float(np.prod(one[2:]) + np.prod(other[2:])) - both
    return both / union if union > 0 else 0.0


def _cost(track: _Track, box: Floats, joints: Floats) -> float:
    """0 for the same box and joints, 1 for nothing in common."""
    move = track.speed * (track.missed + 1)
    expected = np.concatenate([track.box[:2] + move, track.box[2:]])
    side = max(float(np.sqrt(np.prod((expected[2:] + box[2:]) / 2))), 1.0)
    known = np.isfinite(joints).all(-1) & np.isfinite(track.joints).all(-1)
    if not known.any():
        return 1 - overlap(expected, box)
    apart = np.linalg.norm(joints - track.joints - move, axis=-1)[known].mean() / side
    return (1 - overlap(expected, box)) / 2 + min(apart / _FAR, 1.0) / 2


def _middle(box: Floats) -> Floats:
    middle: Floats = box[:2] + box[2:] / 2
    return middle
