"""Stick people: ten invented bodies who wave their limbs, drawn as coloured dots.

Each bone of a resting pose is turned a little at random, then the whole person about the vertical;
a camera looks at them from four metres. Everything is a function of (seed, index) alone, people
are split by number, and a training item is seen from another side on every pass.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Sample
from posezoo.geometry import root_relative
from posezoo.limits import ImageSize, Range, Seed
from posezoo.skeleton import H36M17, Skeleton

_PEOPLE = {"train": range(8), "val": range(8, 10), "all": range(10)}
_DISTANCE_MM = 4000.0
_HALF_VIEW_MM = 1300.0  # what the square picture shows on each side of the optical axis
# Each joint from its parent in rest, mm: x to the person's left, y down, z away from the camera.
_REST_MM = np.array([
    (0, 0, 0), (-130, 0, 0), (0, 440, 0), (0, 430, 0), (130, 0, 0), (0, 440, 0), (0, 430, 0),
    (0, -240, 0), (0, -250, 0), (0, -110, 0), (0, -110, 0),
    (150, 0, 0), (60, 270, 0), (20, 240, 0), (-150, 0, 0), (-60, 270, 0), (-20, 240, 0),
], float)  # fmt: skip


class MyEntry:
    """See `posezoo.contracts.Dataset`; `items` is the number of poses of this split."""

    skeleton: Skeleton = H36M17

    def __init__(
        self,
        *,
        split: Literal["train", "val", "all"] = "train",
        image_size: ImageSize = 64,
        pictures: bool = True,
        seed: Seed = 0,
        items: Annotated[int, Range(1, 10**9)] = 400,
    ) -> None:
        if items < 1 or image_size < 0:
            raise ValueError(f"items={items}, image_size={image_size}: expected 1, 0 or more")
        self.subjects = tuple(f"S{number}" for number in _PEOPLE[split])
        self._people, self._items, self._seed = _PEOPLE[split], items, seed
        self._varied = split == "train"
        self._pictures = pictures and image_size > 0
        self._size = image_size or 1000  # px; 0 is the camera's whole picture

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, index: int) -> Sample:
        item = index % self._items
        view = index if self._varied else item
        person = self._people[item % len(self._people)]
        pose = _pose(person, np.random.default_rng([self._seed, person, item]))
        angle = np.random.default_rng([self._seed, person, item, view]).uniform(-np.pi, np.pi)
        joints_mm = torch.from_numpy(_turned(pose, angle))
        joints_mm[:, 2] += _DISTANCE_MM
        camera = self._camera()
        joints2d = camera.project(joints_mm)
        inside = ((joints2d >= -0.5) & (joints2d <= self._size - 0.5)).all(-1)
        known = torch.ones(1, len(joints2d), dtype=torch.bool)
        return Sample(
            joints2d=joints2d[None].float(),
            joints3d=root_relative(joints_mm)[None].float(),
            root_mm=joints_mm[None, 0].float(),
            labelled2d=known,
            labelled3d=known,
            visible=inside[None],
            camera=camera.to(torch.float32),
            subject=f"S{person}",
            action="wave",
            image=_draw(joints2d, self._size) if self._pictures else None,
        )

    def _camera(self) -> Camera:
        focal_px = self._size / 2 * _DISTANCE_MM / _HALF_VIEW_MM
        centre_px = (self._size - 1) / 2
        return Camera.make(focal_px=(focal_px, focal_px), centre_px=(centre_px, centre_px))


def _pose(person: int, rng: np.random.Generator) -> np.ndarray:  # (J, 3) mm, pelvis at 0
    """The person of that number in a new pose: bones keep their lengths, directions change."""
    height = np.random.default_rng(person).normal(1.0, 0.05)
    lengths = np.linalg.norm(_REST_MM, axis=-1, keepdims=True) * height
    bones = _REST_MM + 0.35 * lengths * rng.normal(size=_REST_MM.shape)
    bones *= lengths / np.linalg.norm(bones, axis=-1, keepdims=True).clip(1e-9)
    joints = np.zeros_like(bones)
    for parent, joint in H36M17.bones:  # a parent comes before its children
        joints[joint] = joints[parent] + bones[joint]
    return joints


def _turned(joints: np.ndarray, angle: float) -> np.ndarray:  # (J, 3) mm
    """The person turned about the vertical axis."""
    cos, sin = np.cos(angle), np.sin(angle)
    return joints @ np.array([(cos, 0, sin), (0, 1, 0), (-sin, 0, cos)])


def _draw(
    joints2d: Tensor,  # (J, 2) px
    size: int,
) -> Tensor:  # (3, H, W) uint8 RGB
    """A dot per joint, each of its own colour, on grey."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    picture = torch.full((3, size, size), 96, dtype=torch.uint8)
    for joint, (x, y) in enumerate(joints2d.tolist()):
        dot = (columns - x) ** 2 + (rows - y) ** 2 <= (0.03 * size) ** 2
        colour = torch.tensor([joint * 15, 255 - joint * 15, joint % 4 * 85], dtype=torch.uint8)
        picture[:, dot] = colour[:, None]
    return picture
