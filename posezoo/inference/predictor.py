"""Pictures and videos in, people in millimetres out: the object that keeps the networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from posezoo.camera import Camera
from posezoo.clips import lift_clip
from posezoo.contracts import PoseResult
from posezoo.inference.finding import Finder, Found
from posezoo.inference.lens import Lens
from posezoo.inference.lifting import Pose, in_joint_set, root_position, sees_cameras
from posezoo.inference.loading import Loaded, finder_of, load_for_prediction, load_lifter
from posezoo.inference.people import Person, Prediction, VideoPrediction
from posezoo.inference.picture import Picture, as_picture
from posezoo.inference.reliability import warnings_of
from posezoo.inference.smoothing import Filter
from posezoo.inference.video import VideoFile
from posezoo.inference.watching import watch
from posezoo.pipeline import Pipeline

Floats: TypeAlias = NDArray[np.float64]
Given: TypeAlias = str | Path | NDArray[np.uint8] | Tensor | Image.Image | Picture

_OWN_CAMERAS = (
    "cameras: this lifter knows those that it was trained with only; one that was trained with "
    "input=rays takes any"
)


class Predictor:
    """A pipeline that is ready to look at pictures.

    Args:
        pipeline: a spec whose parts have weights, the name of weights, the folder of a run or of a
            checkpoint, or what `posezoo.load` gave; None: what is shipped.
        detector: who says where people are, if the pipeline has no detector of its own: for a
            lifter alone (None: blazepose), or for a run that looks at crops.
        lens: of every picture, unless a call says otherwise.
        device: "auto", "cpu" or "cuda".
        flip: average the lifter's answer with that to the mirrored person: 1 mm better, twice the
            lifter's time.
        batch: crops, or people to lift, at a time.
        finder: makes what finds people, in place of the pipeline's own, which is then a lifter.

    Raises:
        ValueError: no such pipeline, or one that cannot look at pictures.
    """

    def __init__(
        self,
        pipeline: str | Path | Pipeline | None = None,
        *,
        detector: str | None = None,
        lens: Lens | None = None,
        device: str = "auto",
        flip: bool = True,
        batch: int = 16,
        finder: Callable[[Loaded], Finder] | None = None,
    ) -> None:
        self.loaded: Loaded = (
            load_for_prediction(pipeline, detector=detector, device=device)
            if finder is None
            else load_lifter(pipeline, device=device)
        )
        self.pipeline, self.name = self.loaded.pipeline, self.loaded.name
        self.lens, self.flip, self.batch = lens or Lens(), flip, batch
        self.finder: Finder = (
            finder_of(self.loaded, batch=batch) if finder is None else finder(self.loaded)
        )
        every = self.pipeline.skeleton2d.num_joints
        self._fewest = int(getattr(self.pipeline.lifter, "fewest", every))
        # On crops a lifter sees what it was trained on; behind a detector it must take any camera.
        lifts_any = self.pipeline.lifter is not None and not self.loaded.crop_px
        self._caution = _OWN_CAMERAS if lifts_any and not sees_cameras(self.pipeline) else ""

    def picture(
        self,
        picture: Given,  # a path, or (H, W, 3) uint8 RGB
        *,
        boxes: Tensor | None = None,  # (P, 4) px: one person in each
        lens: Lens | None = None,
    ) -> Prediction:
        """Everybody in one picture.

        Raises:
            ValueError: the picture cannot be read, or lacks the box that the pipeline needs.
        """
        return self.pictures([picture], boxes=[boxes], lens=lens)[0]

    def pictures(
        self,
        pictures: Sequence[Given],
        *,
        boxes: Sequence[Tensor | None] | None = None,
        lens: Lens | None = None,
    ) -> list[Prediction]:
        """Everybody in each of some pictures, whose networks run in common batches.

        Raises:
            ValueError: as `picture`.
        """
        looked_at = [as_picture(each) for each in pictures]
        empty = [self.empty(each, lens) for each in looked_at]
        found = self.finder(looked_at, boxes or [None] * len(looked_at))
        clips = [[person] for people in found for person in people]
        cameras = [e.camera for e, people in zip(empty, found, strict=True) for _ in people]
        lifted = iter(self.lift(clips, cameras))
        predictions = []
        for prediction, people in zip(empty, found, strict=True):
            known = []
            for number, person in enumerate(people):
                (pose,) = next(lifted)
                known.append((number, person, pose, self.root(person, pose, prediction)))
            predictions.append(self.filled(prediction, known))
        return predictions

    def video(
        self,
        frames: str | Path | Iterable[Picture],
        *,
        boxes: Tensor | None = None,  # (P, 4) px, the same in every frame
        lens: Lens | None = None,
        track: bool = True,
        smooth: Filter | None = None,
    ) -> VideoPrediction:
        """Everybody in each frame of a video, under ids that stay.

        Args:
            frames: a file, or pictures with `frame` and `time_s`.
            boxes: where people are, if the pipeline must be told.
            lens: of the video; None: the predictor's own.
            track: find out who is who; without, ids count within each frame.
            smooth: filter each person's movement.

        Raises:
            ValueError: as `picture`.
        """
        video = VideoFile(frames) if isinstance(frames, str | Path) else frames
        return watch(self, video, boxes=boxes, lens=lens, track=track, smooth=smooth)

    def lift(
        self,
        clips: Sequence[Sequence[Found]],  # each one person's, frame after frame
        cameras: Sequence[Camera],  # of each clip
    ) -> list[list[Pose | None]]:  # of each frame
        """3D of people of whom the lifter is told enough; None for the others."""
        result: list[list[Pose | None]] = [
            [self._pose_of_head(each, camera) for each in clip]
            for clip, camera in zip(clips, cameras, strict=True)
        ]
        if self.pipeline.lifter is None:
            return result
        clips = [[self._as_told(each) for each in clip] for clip in clips]
        by_length: dict[int, list[tuple[int, int]]] = {}
        for number, clip in enumerate(clips):
            for first, length in _parts(clip, self._fewest):
                by_length.setdefault(length, []).append((number, first))
        for length, places in by_length.items():
            for start in range(0, len(places), self.batch):
                some = places[start : start + self.batch]
                parts = [clips[number][first : first + length] for number, first in some]
                views = [
                    part[0].joints.view(cameras[number])
                    for (number, _), part in zip(some, parts, strict=True)
                ]
                lifted = lift_clip(
                    self.pipeline,
                    torch.stack([torch.stack([e.joints.seen_px for e in part]) for part in parts]),
                    Camera.stack(views),
                    torch.from_numpy(np.array([[e.joints.confidence for e in p] for p in parts])),
                    flip=self.flip,
                )
                for place, (number, first) in enumerate(some):
                    result[number][first : first + length] = _poses(lifted, place)
        return result

    def _pose_of_head(self, found: Found, camera: Camera) -> Pose | None:
        """What a head that gives 3D itself makes of a person, now that the camera is known."""
        if found.maps is None:
            return None
        view = Camera(found.joints.view(camera).parameters[None]).to(torch.float32)
        with torch.inference_mode():
            result = self.pipeline.head.decode(found.maps, view.to(found.maps.device))
        return Pose(joints3d=result.joints3d[0, 0].double().cpu().numpy())

    def _as_told(self, found: Found) -> Found:
        """The person with the joints that the lifter is told, where it predicts others."""
        told, joints = self.pipeline.skeleton2d, found.joints
        source, pipeline = self.finder.joint_set, self.pipeline
        mapped = pipeline.takes(pipeline.skeleton) and not pipeline.takes(source)
        if told == pipeline.skeleton or mapped:
            return found
        scale, offset = joints.scale, joints.offset
        joints = in_joint_set(found.detected, source, told, scale=scale, offset=offset)
        return replace(found, joints=joints)

    def empty(self, picture: Picture, lens: Lens | None) -> Prediction:
        """What is known of a picture before anybody is found in it."""
        camera = (lens or self.lens).camera(
            width=picture.width, height=picture.height, exif_focal_px=picture.focal_px
        )
        return Prediction(
            source=picture.source,
            width=picture.width,
            height=picture.height,
            pipeline=self.name,
            weights=self.loaded.weights,
            camera=camera,
            camera_assumed=bool(camera.guessed),
            people=(),
            frame=picture.frame,
            time_s=picture.time_s,
        )

    def root(
        self, found: Found, pose: Pose | None, prediction: Prediction
    ) -> Floats | None:  # (3,) mm, camera frame
        """The root's absolute position; None if the pose or the camera is not known."""
        if pose is None or prediction.camera_assumed:
            return None
        seen = found.joints
        return root_position(pose.joints3d, seen.px, prediction.camera, seen.confidence)

    def filled(
        self,
        prediction: Prediction,
        people: Iterable[tuple[int, Found, Pose | None, Floats | None]],
    ) -> Prediction:
        """The prediction with its people: id, found, pose, root (3,) mm."""
        return replace(prediction, people=tuple(self._person(prediction, *each) for each in people))

    def _person(
        self,
        prediction: Prediction,
        number: int,
        found: Found,
        pose: Pose | None,
        root_mm: Floats | None,
    ) -> Person:
        detected, joints, skeleton = found.detected, found.joints, self.pipeline.skeleton
        box = detected.box_px.detach().cpu().double().numpy()
        warnings = warnings_of(
            joints,
            skeleton,
            box_px=box,
            score=detected.score,
            lifted=pose is not None,
            sides_unsure=bool(detected.extras.get("sides_unsure", False)),
            width=prediction.width,
            height=prediction.height,
        )
        return Person(
            id=number,
            box_px=box,
            score=float(detected.score),
            detected_joint_set=self.finder.joint_set.name,
            detected2d_px=detected.joints2d.detach().cpu().double().numpy(),
            detected_confidence=detected.confidence.detach().cpu().double().numpy(),
            joint_set=skeleton.name,
            joints2d=joints.px,
            confidence=joints.confidence,
            joints3d=None if pose is None else pose.joints3d,
            sigma_mm=None if pose is None else pose.sigma_mm,
            root_mm=root_mm,
            warnings=(*filter(None, [self._caution, found.warning]), *warnings),
        )


def _parts(clip: Sequence[Found], fewest: int) -> list[tuple[int, int]]:
    """(first, length) of each stretch of frames of which that many joints are known."""
    parts: list[tuple[int, int]] = []
    for frame, each in enumerate(clip):
        if np.isfinite(each.joints.px).all(-1).sum() < fewest:
            continue
        if parts and sum(parts[-1]) == frame:
            parts[-1] = (parts[-1][0], parts[-1][1] + 1)
        else:
            parts.append((frame, 1))
    return parts


def _poses(lifted: PoseResult, place: int) -> list[Pose]:
    """What came of one clip of several."""
    assert lifted.joints3d is not None
    joints3d = lifted.joints3d[place].double().cpu().numpy()
    if lifted.sigma_mm is None:
        return [Pose(joints3d=each) for each in joints3d]
    sigma = lifted.sigma_mm[place].double().cpu().numpy()
    return [Pose(joints3d=j, sigma_mm=s) for j, s in zip(joints3d, sigma, strict=True)]
