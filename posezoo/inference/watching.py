"""A video from its frames to people with ids: find, follow, lift each person's clips, smooth.

Frames are looked at one by one and let go; what is kept of them is the people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from posezoo.camera import Camera
from posezoo.inference.finding import ByDetector, Finder, Found
from posezoo.inference.lens import Lens
from posezoo.inference.lifting import Pose
from posezoo.inference.people import Prediction, VideoPrediction
from posezoo.inference.picture import Picture
from posezoo.inference.smoothing import Filter
from posezoo.inference.smoothing import smooth as filtered
from posezoo.inference.tracking import Tracker, overlap

Floats: TypeAlias = NDArray[np.float64]

LOOK_EVERY = 10  # frames, for newcomers, where a detector can follow those it knows
_SAME = 0.6  # overlap of boxes above which two people are one


class _Sight(Protocol):
    """What is needed of a `Predictor`, which says what these do."""

    @property
    def finder(self) -> Finder: ...

    def empty(self, picture: Picture, lens: Lens | None) -> Prediction: ...

    def lift(
        self, clips: Sequence[Sequence[Found]], cameras: Sequence[Camera]
    ) -> list[list[Pose | None]]: ...

    def root(self, found: Found, pose: Pose | None, prediction: Prediction) -> Floats | None: ...

    def filled(
        self,
        prediction: Prediction,
        people: Iterable[tuple[int, Found, Pose | None, Floats | None]],
    ) -> Prediction: ...


@dataclass(slots=True)
class _Seen:
    """One person in one frame, from what was found to what comes of it."""

    frame: int
    id: int
    found: Found
    pose: Pose | None = None
    root: Floats | None = None  # (3,) mm


@dataclass(slots=True)
class _Frame:
    about: Prediction  # all but the people
    time_s: float
    people: list[_Seen] = field(default_factory=list)


def watch(
    predictor: _Sight,
    video: Iterable[Picture],
    *,
    boxes: Tensor | None,
    lens: Lens | None,
    track: bool,
    smooth: Filter | None,
) -> VideoPrediction:
    """What `Predictor.video` says.

    Raises:
        ValueError: a frame cannot be used, or `smooth` has no tracks to smooth.
    """
    if smooth is not None and not track:
        raise ValueError("smoothing follows each person through the video: leave out --no-track")
    frames: list[_Frame] = []
    tracker = Tracker() if track else None
    for picture, found in _look(predictor.finder, video, boxes, follow=track):
        ids = _ids(found, tracker)
        frame = _Frame(predictor.empty(picture, lens), picture.time_s or 0.0)
        people = zip(ids, found, strict=True)
        frame.people = [_Seen(len(frames), number, each) for number, each in people]
        frames.append(frame)
    clips = _clips(frames, connected=track)
    cameras = [frames[clip[0].frame].about.camera for clip in clips]
    lifted = predictor.lift([[seen.found for seen in clip] for clip in clips], cameras)
    for clip, poses in zip(clips, lifted, strict=True):
        for seen, pose in zip(clip, poses, strict=True):
            seen.pose = pose
            seen.root = predictor.root(seen.found, pose, frames[seen.frame].about)
        if smooth is not None:
            _smooth(clip, np.array([frames[seen.frame].time_s for seen in clip]), smooth)
    return VideoPrediction(
        source=frames[0].about.source if frames else "",
        fps=_rate(frames, video),
        frames=tuple(
            predictor.filled(frame.about, [(s.id, s.found, s.pose, s.root) for s in frame.people])
            for frame in frames
        ),
    )


def _ids(found: Sequence[Found], tracker: Tracker | None) -> Iterable[int]:
    """Who is who in a frame: by whoever found them, else by where they were before."""
    own = [each.id for each in found if each.id is not None]
    if found and len(own) == len(found):
        return own
    return tracker([each.detected for each in found]) if tracker else range(len(found))


def _look(
    finder: Finder, video: Iterable[Picture], boxes: Tensor | None, *, follow: bool
) -> Iterator[tuple[Picture, list[Found]]]:
    """Each frame and its people: found anew, or followed where the detector can."""
    detector: Any = getattr(finder, "detector", None)
    if not (follow and boxes is None and hasattr(detector, "follow")):
        for picture in video:
            yield picture, finder([picture], [boxes])[0]
        return
    assert isinstance(finder, ByDetector)
    people: list[Found] = []
    for count, picture in enumerate(video):
        people = finder.follow(picture, people)
        if count % LOOK_EVERY == 0 or not people:
            people += finder([picture], [None])[0]
        people = _each_once(people)
        yield picture, people


def _each_once(people: Sequence[Found]) -> list[Found]:
    """Without those who were found twice: the first stays."""
    kept: list[Found] = []
    for each in people:
        box = each.detected.box_px.cpu().double().numpy()
        others = (other.detected.box_px.cpu().double().numpy() for other in kept)
        if all(overlap(box, other) < _SAME for other in others):
            kept.append(each)
    return kept


def _clips(frames: Sequence[_Frame], *, connected: bool) -> list[list[_Seen]]:
    """Each person's unbroken runs of frames; every frame by itself if ids mean nothing."""
    clips: list[list[_Seen]] = []
    latest: dict[int, list[_Seen]] = {}
    for number, frame in enumerate(frames):
        for seen in frame.people:
            clip = latest.get(seen.id)
            if connected and clip is not None and clip[-1].frame == number - 1:
                clip.append(seen)
            else:
                latest[seen.id] = [seen]
                clips.append(latest[seen.id])
    return clips


def _smooth(clip: Sequence[_Seen], time_s: Floats, how: Filter) -> None:
    """Filter what is known of a clip, stretch by stretch."""
    for start, stop in _stretches([seen.pose is not None for seen in clip]):
        poses = [seen.pose for seen in clip[start:stop] if seen.pose is not None]
        points = filtered(np.stack([pose.joints3d for pose in poses]), time_s[start:stop], how)
        for seen, pose, joints3d in zip(clip[start:stop], poses, points, strict=True):
            seen.pose = replace(pose, joints3d=joints3d)
    for start, stop in _stretches([seen.root is not None for seen in clip]):
        roots = [seen.root for seen in clip[start:stop] if seen.root is not None]
        points = filtered(np.stack(roots), time_s[start:stop], how)
        for seen, root in zip(clip[start:stop], points, strict=True):
            seen.root = root


def _stretches(known: Sequence[bool]) -> list[tuple[int, int]]:
    """(start, stop) of each run of true values."""
    edges = np.flatnonzero(np.diff([0, *map(int, known), 0]))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _rate(frames: Sequence[_Frame], video: Iterable[Picture]) -> float:
    """Frames a second, by their times; by the file's word where there is one frame only."""
    lasted = frames[-1].time_s - frames[0].time_s if frames else 0.0
    if lasted > 0:
        return (len(frames) - 1) / lasted
    return float(getattr(video, "fps", 0.0))
