"""Joints that another program has found, lifted to 3D: a file of them in, a prediction out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.contracts import DetectedPerson
from posezoo.data.crop import person_crop
from posezoo.data.keypoints.keypoints import FoundPose, KeypointFile
from posezoo.inference.finding import Found
from posezoo.inference.formats.about import frames_of
from posezoo.inference.lens import Lens
from posezoo.inference.lifting import in_joint_set
from posezoo.inference.loading import Loaded
from posezoo.inference.people import Prediction, VideoPrediction
from posezoo.inference.picture import Picture
from posezoo.inference.predictor import Predictor
from posezoo.inference.smoothing import Filter
from posezoo.joint_maps import joint_map
from posezoo.skeleton import Skeleton

Floats: TypeAlias = NDArray[np.float64]

FPS = 30.0  # of a video, where nobody says
_AT_ONCE = 256  # pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """What came of a file."""

    prediction: Prediction | VideoPrediction
    notes: tuple[str, ...]  # what was assumed, and how good the map of joints is

    @property
    def found(self) -> int:
        """People in the file, each counted in each picture."""
        return sum(len(frame.people) for frame in frames_of(self.prediction))

    @property
    def people(self) -> int:
        """Those of them who have 3D."""
        frames = frames_of(self.prediction)
        return sum(each.joints3d is not None for frame in frames for each in frame.people)


def lift_keypoints(
    file: KeypointFile,
    *,
    source: str | Path,
    pipeline: str | Path | None = None,
    lens: Lens | None = None,
    size_px: tuple[int, int] | None = None,
    fps: float = FPS,
    smooth: Filter | None = None,
    device: str = "auto",
) -> Lifted:
    """Lift everybody in a file.

    In a video people keep the ids that the file gives them; without, they are followed by where
    they are. Pictures that do not follow each other become the frames of one prediction all the
    same, and everybody in them has an id of their own.

    Args:
        file: of `posezoo.data.keypoints.reading.read_keypoints`.
        source: what to call it.
        pipeline: a lifter with weights, or what has one; None: the one that is shipped.
        lens: of the pictures.
        size_px: width and height of pictures whose size the file does not tell.
        fps: frames a second of a video.
        smooth: filter each person's movement.
        device: "auto", "cpu" or "cuda".

    Raises:
        ValueError: no size of the pictures, no lifter, or no joint of its set in the file.
    """
    pictures = _pictures(file, str(source), size_px, fps)
    predictor = Predictor(
        pipeline, lens=lens, device=device, finder=lambda loaded: FromFile(file, loaded)
    )
    lifter = predictor.pipeline
    mapped = joint_map(file.skeleton, lifter.skeleton, estimate=True).describe()
    if lifter.takes(file.skeleton):
        mapped = f"{file.skeleton.name}: the lifter takes these joints as they are"
    notes = (f"{file.tool}: {len(file.frames)} pictures", *file.notes, mapped)
    if file.video:
        frames = predictor.video(pictures, smooth=smooth).frames
    elif smooth is not None:
        raise ValueError(f"{source}: is not a video, so there is no movement to smooth")
    else:
        frames = ()
        while some := list(islice(pictures, _AT_ONCE)):
            frames += tuple(predictor.pictures(some))
        frames = _numbered(frames)
    if len(file.frames) == 1:
        return Lifted(prediction=frames[0], notes=notes)
    video = VideoPrediction(source=str(source), fps=fps, frames=frames)
    return Lifted(prediction=video, notes=notes)


class FromFile:
    """A finder (`posezoo.inference.finding.Finder`) that knows who is in each frame."""

    def __init__(self, file: KeypointFile, loaded: Loaded) -> None:
        self.file, self.joint_set = file, file.skeleton
        self.target = loaded.pipeline.skeleton
        self.crop_px, self.margin = loaded.crop_px, loaded.margin
        ids = [[pose.id for pose in frame.people] for frame in file.frames]
        self.as_they_are = loaded.pipeline.takes(file.skeleton)
        self.named = all(None not in each and len({*each}) == len(each) for each in ids)

    def __call__(
        self, pictures: Sequence[Picture], boxes: Sequence[Tensor | None]
    ) -> list[list[Found]]:
        """The people of each picture, by its number; `boxes` are in the file."""
        return [
            [self._found(pose) for pose in self.file.frames[picture.frame or 0].people]
            for picture in pictures
        ]

    def _found(self, pose: FoundPose) -> Found:
        known = pose.px[np.isfinite(pose.px).all(-1)]
        low, high = (known.min(0), known.max(0)) if len(known) else (np.zeros(2), np.zeros(2))
        box = np.concatenate([low, high - low]) if pose.box_px is None else pose.box_px
        sure = pose.confidence[pose.confidence > 0]
        detected = DetectedPerson(
            box_px=torch.from_numpy(box),
            score=pose.score if pose.score is not None else float(sure.mean()) if len(sure) else 0,
            joints2d=torch.from_numpy(pose.px),
            confidence=torch.from_numpy(pose.confidence),
        )
        px, confidence, guessed = with_ears(pose.px, pose.confidence, self.joint_set)
        guessed &= not self.as_they_are
        scale, offset = self._crop(low, high)
        joints = in_joint_set(
            replace(
                detected, joints2d=torch.from_numpy(px), confidence=torch.from_numpy(confidence)
            ),
            self.joint_set,
            self.target,
            scale=scale,
            offset=offset,
        )
        return Found(
            detected=detected,
            joints=joints,
            id=pose.id if self.named else None,
            warning="head unsure: an ear is not seen, the rest of the face stands for it" * guessed,
        )

    def _crop(self, low: Floats, high: Floats) -> tuple[float, tuple[float, float]]:
        """The crop that a lifter was trained on, if it was."""
        if not self.crop_px:
            return 1.0, (0.0, 0.0)
        scale, offset = person_crop(
            torch.from_numpy(np.stack([low, high]))[None],
            size=self.crop_px,
            margin=self.margin,
            jitter=0.0,
            seed=0,
            index=np.zeros(1, np.int64),
        )
        return float(scale[0]), (float(offset[0, 0]), float(offset[0, 1]))


def with_ears(
    px: Floats,  # (J, 2) px
    confidence: Floats,  # (J,)
    skeleton: Skeleton,
) -> tuple[Floats, Floats, bool]:  # and whether one had to be guessed
    """An ear that is not seen lies where the other does, or the eyes, or the nose.

    Seen from the side one ear is always hidden, and the head's place rests on both. A guessed ear
    is half as sure as what stands for it.
    """
    index = {name: place for place, name in enumerate(skeleton.joints)}
    if not {"left_ear", "right_ear"} <= set(index):
        return px, confidence, False
    known: NDArray[np.bool_] = np.all(np.isfinite(px), axis=-1)
    lost = [index[name] for name in ("left_ear", "right_ear") if not known[index[name]]]
    for names in (("left_ear", "right_ear"), ("left_eye", "right_eye"), ("nose",)):
        there = [index[name] for name in names if name in index and known[index[name]]]
        if lost and there:
            px, confidence = px.copy(), confidence.copy()
            px[lost], confidence[lost] = px[there].mean(0), confidence[there].min() / 2
            return px, confidence, True
    return px, confidence, False


def _numbered(frames: tuple[Prediction, ...]) -> tuple[Prediction, ...]:
    """People of unconnected pictures: nobody is in two of them."""
    number = count()
    return tuple(
        replace(frame, people=tuple(replace(each, id=next(number)) for each in frame.people))
        for frame in frames
    )


def _pictures(
    file: KeypointFile, source: str, size_px: tuple[int, int] | None, fps: float
) -> Iterator[Picture]:
    """A picture of each frame's size and time; nobody looks at its pixels, which take no memory."""
    if size_px is None and any(frame.size_px is None for frame in file.frames):
        raise ValueError(
            f"{source}: does not tell how large its pictures are: give --width PX --height PX"
        )
    alone = len(file.frames) == 1

    def each() -> Iterator[Picture]:
        for number, frame in enumerate(file.frames):
            width, height = frame.size_px or size_px or (0, 0)
            yield Picture(
                pixels=np.broadcast_to(np.uint8(0), (height, width, 3)),
                source=frame.name,
                frame=None if alone else number,
                time_s=None if alone else number / fps,
            )

    return each()
