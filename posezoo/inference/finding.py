"""Who is in a picture: by a detector that looks at all of it, or by a trained run on boxes of it.

A run sees what it was trained on: the square crop around a person, resized. Where those joints lie
in the picture as given, and which camera took the crop, follows exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import DetectedPerson, Detector, PoseResult
from posezoo.data.crop import person_crop
from posezoo.data.store.pictures import crop_image
from posezoo.inference.lifting import Joints2d, in_joint_set
from posezoo.inference.picture import Picture
from posezoo.pipeline import Pipeline
from posezoo.skeleton import Skeleton, get_skeleton

NEARLY_SQUARE = 1.34  # 4 to 3: a picture of that shape may be taken as one person's crop


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One person: as detected, and as the lifter is to see them."""

    detected: DetectedPerson
    joints: Joints2d
    maps: Tensor | None = None  # of a head that gives 3D itself, once it is told the camera
    warning: str = ""
    id: int | None = None  # whoever found them knows who they are


class Finder(Protocol):
    """Finds people, several pictures at a time."""

    joint_set: Skeleton  # of what it detects

    def __call__(
        self,
        pictures: Sequence[Picture],
        boxes: Sequence[Tensor | None],  # (P, 4) px each: one person in each box
    ) -> list[list[Found]]:
        """The people of each picture."""
        ...


class ByDetector:
    """A detector that looks at whole pictures; see `posezoo.contracts.Detector`."""

    def __init__(self, detector: Detector, target: Skeleton) -> None:
        self.detector: Any = detector  # `follow` is no part of the protocol
        self.target = target
        self.joint_set = get_skeleton(detector.joint_set)

    def __call__(
        self, pictures: Sequence[Picture], boxes: Sequence[Tensor | None]
    ) -> list[list[Found]]:
        """One picture after the other: their sizes differ."""
        with torch.inference_mode():
            found = [
                self.detector(torch.from_numpy(picture.pixels), boxes=its)
                for picture, its in zip(pictures, boxes, strict=True)
            ]
        return [[self.found(person) for person in people] for people in found]

    def follow(self, picture: Picture, people: Sequence[Found]) -> list[Found]:
        """The same people in the next frame, without those who are lost."""
        if not people:
            return []
        with torch.inference_mode():
            again = self.detector.follow(
                torch.from_numpy(picture.pixels), [each.detected for each in people]
            )
        return [self.found(person) for person in again if person is not None]

    def found(self, person: DetectedPerson) -> Found:
        """The person with their joints in the pipeline's set."""
        return Found(detected=person, joints=in_joint_set(person, self.joint_set, self.target))


class ByCrops:
    """A backbone and head on the crop around each person, of all pictures in common batches.

    Args:
        pipeline: with a backbone and a head.
        size: px of the square crops that it was trained on.
        margin: room around the person on each side, as in its training.
        people: who says where people are, where no boxes are given.
        batch: crops at a time.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        size: int,
        margin: float,
        people: Detector | None = None,
        batch: int = 16,
    ) -> None:
        self.pipeline, self.size, self.margin = pipeline, size, margin
        self.batch = batch
        self.joint_set = pipeline.skeleton
        self._people = ByDetector(people, pipeline.skeleton) if people is not None else None

    def __call__(
        self, pictures: Sequence[Picture], boxes: Sequence[Tensor | None]
    ) -> list[list[Found]]:
        """Every person of every picture.

        Raises:
            ValueError: nobody says where the person of a picture is.
        """
        crops = [
            crop
            for number, (picture, given) in enumerate(zip(pictures, boxes, strict=True))
            for crop in self._crops(number, picture, given)
        ]
        people: list[list[Found]] = [[] for _ in pictures]
        for first in range(0, len(crops), self.batch):
            some = crops[first : first + self.batch]
            images = torch.stack([crop.cut(pictures[crop.picture], self.size) for crop in some])
            for crop, found in zip(some, self._see(images, some), strict=True):
                people[crop.picture].append(found)
        return people

    def _crops(self, number: int, picture: Picture, given: Tensor | None) -> list[_Crop]:
        if given is not None:
            return [self._around(number, box, 1.0) for box in given.double()]
        if self._people is not None:
            (found,) = self._people([picture], [None])
            return [self._around(number, _box_of(each), each.detected.score) for each in found]
        width, height = picture.width, picture.height
        if max(width, height) > NEARLY_SQUARE * min(width, height):
            raise ValueError(
                f"'{self.pipeline.spec}' looks at one person in a square, and nobody says where: "
                "give --box x,y,width,height, --boxes FILE or --detector blazepose"
            )
        whole = torch.tensor([-0.5, -0.5, width, height], dtype=torch.float64)
        note = "whole picture: taken as one person's box, since no box and no detector was given"
        return [self._around(number, whole, 1.0, margin=0.0, warning=note)]

    def _around(
        self,
        number: int,
        box: Tensor,  # (4,) float64 px
        score: float,
        *,
        margin: float | None = None,
        warning: str = "",
    ) -> _Crop:
        corners = torch.stack([box[:2], box[:2] + box[2:]])
        scale, offset = person_crop(
            corners[None],
            size=self.size,
            margin=self.margin if margin is None else margin,
            jitter=0.0,
            seed=0,
            index=np.zeros(1, np.int64),
        )
        shift = (float(offset[0, 0]), float(offset[0, 1]))
        return _Crop(number, box, score, float(scale[0]), shift, warning)

    def _see(self, images: Tensor, crops: Sequence[_Crop]) -> list[Found]:
        pipeline = self.pipeline
        with torch.inference_mode():
            maps = pipeline.heatmaps(images.to(pipeline.mean_pose.device))
            if pipeline.head.output == "joints3d":
                return self._see_in_3d(maps, crops)
            joints, confidence = pipeline.head.decode(maps)
        joints, confidence = joints.double().cpu(), confidence.double().cpu()
        return [
            self._found(crop, sure, seen_px=each)
            for crop, each, sure in zip(crops, joints, confidence, strict=True)
        ]

    def _see_in_3d(self, maps: Tensor, crops: Sequence[_Crop]) -> list[Found]:
        """What needs no camera: px, where the head sees them, and the confidence."""
        any_camera = Camera.make(focal_px=(self.size, self.size), centre_px=(0.0, 0.0))
        cameras = Camera.stack([any_camera] * len(crops)).to(torch.float32).to(maps.device)
        result: PoseResult = self.pipeline.head.decode(maps, cameras)
        assert result.confidence is not None
        confidence = result.confidence.double().cpu()
        seen = [None] * len(crops) if result.joints2d is None else result.joints2d.double().cpu()
        return [
            self._found(
                crop,
                confidence[place],
                seen_px=None if px is None else px[0],
                maps=maps[place : place + 1],
            )
            for place, (crop, px) in enumerate(zip(crops, seen, strict=True))
        ]

    def _found(
        self,
        crop: _Crop,
        confidence: Tensor,  # (J,)
        *,
        seen_px: Tensor | None = None,  # (J, 2) px of the crop
        maps: Tensor | None = None,  # (1, ...) a head's, of 3D
    ) -> Found:
        if seen_px is None:
            px = torch.full((len(confidence), 2), torch.nan, dtype=torch.float64)
        else:
            px = (seen_px - torch.tensor(crop.offset).double()) / crop.scale
        joints = Joints2d(
            px=px.numpy(), confidence=confidence.numpy(), scale=crop.scale, offset=crop.offset
        )
        detected = DetectedPerson(
            box_px=crop.box, score=crop.score, joints2d=px, confidence=confidence
        )
        return Found(detected=detected, joints=joints, maps=maps, warning=crop.warning)


@dataclass(frozen=True, slots=True)
class _Crop:
    """Where one person is cut out: new px = old px * scale + offset."""

    picture: int
    box: Tensor  # (4,) px
    score: float
    scale: float
    offset: tuple[float, float]
    warning: str

    def cut(self, picture: Picture, size: int) -> Tensor:  # (3, size, size) uint8
        image = Image.fromarray(picture.pixels)
        return crop_image(image, scale=self.scale, offset=self.offset, size=size)


def _box_of(found: Found) -> Tensor:  # (4,) float64 px
    """The joints' own box, which training crops too; the detector's where it has no joints."""
    px = torch.from_numpy(found.joints.px)
    px = px[px.isfinite().all(-1)]
    if len(px) < 2:
        return found.detected.box_px.double()
    return torch.cat([px.amin(0), px.amax(0) - px.amin(0)])
