"""A drawn person who moves, as a prediction of a video that is right in every number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from posezoo.camera import Camera
from posezoo.data.synthetic.body import bone_lengths, stand_up
from posezoo.data.synthetic.poses import pose
from posezoo.inference.people import Person, Prediction, VideoPrediction

WIDTH, HEIGHT = 640, 480
CAMERA = Camera.make(focal_px=(768.0, 768.0), centre_px=(319.5, 239.5))


@pytest.fixture(scope="session")
def person():
    """A person of that id as the camera sees a body standing 4 m off, a little aside."""

    def make(
        joints: np.ndarray,  # (17, 3) mm, camera frame, root-relative
        number: int = 0,
        *,
        root_mm: tuple[float, float, float] | None = (200.0, 100.0, 4000.0),
    ) -> Person:
        place = np.array(root_mm or (0.0, 0.0, 4000.0))
        px = CAMERA.project(torch.from_numpy(joints + place)).numpy()
        low, high = px.min(0), px.max(0)
        return Person(
            id=number,
            box_px=np.concatenate([low, high - low]),
            score=0.9,
            detected_joint_set="h36m17",
            detected2d_px=px,
            detected_confidence=np.linspace(0.2, 1.0, 17),
            joint_set="h36m17",
            joints2d=px,
            confidence=np.linspace(0.2, 1.0, 17),
            joints3d=joints,
            root_mm=None if root_mm is None else place,
        )

    return make


@pytest.fixture(scope="session")
def motion() -> np.ndarray:  # (40, 17, 3) mm, camera frame, root-relative
    """One body, its bones of constant length, from pose to pose to pose, facing the camera."""
    angles, _ = pose(3, np.arange(5))
    frames = np.linspace(0, 4, 40)
    low = np.minimum(frames.astype(int), 3)
    share = (frames - low)[:, None]
    moving = (1 - share) * angles[low] + share * angles[low + 1]
    lengths = np.repeat(bone_lengths(np.array([7])), 40, 0)
    world = np.asarray(stand_up(moving, lengths))
    seen = np.stack([world[..., 1], -world[..., 2], -world[..., 0]], -1)  # it faced x, z up
    return seen - seen[:, :1]


@pytest.fixture
def picture(person, motion) -> Prediction:
    return Prediction(
        source="photo.jpg",
        width=WIDTH,
        height=HEIGHT,
        pipeline="blazepose+semgcn.shipped",
        camera=CAMERA,
        camera_assumed=True,
        people=(person(motion[0]),),
        weights={"semgcn.shipped": "ab" * 32},
    )


@pytest.fixture
def video(picture, person, motion) -> VideoPrediction:
    frames = tuple(
        replace(picture, source="walk.mp4", frame=n, time_s=n / 25, people=(person(joints, 4),))
        for n, joints in enumerate(motion)
    )
    return VideoPrediction(source="walk.mp4", fps=25.0, frames=frames)
