"""Where the person stands and which camera looks: every view is a function of (seed, index).

World: z up, mm, the middle of the room at (0, 0) on the floor. `place` turns and moves a person,
`Rig.draw` takes cameras; together they make endless views of one pose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.camera import Camera
from posezoo.data import counter_random
from posezoo.data.camera_table import CameraTable, read_camera_table
from posezoo.hints import shown

# Invented cameras: (lowest, highest) of each number, flat between. Intrinsics are of the size of
# Human3.6M's four cameras, whose toolbox leaves out the tangential factor 2: hence factor 1.
_PICTURE_PX = 1000.0
_INTRINSICS = np.array([
    (1035.0, 1265.0),  # fx px
    (0.998, 1.002),  # fy / fx
    (480.0, 520.0),  # cx px
    (480.0, 520.0),  # cy px
    (-0.22, -0.18),  # k1
    (0.20, 0.26),  # k2
    (-0.01, 0.01),  # k3
    (-0.003, 0.001),  # p1
    (-0.002, 0.002),  # p2
])  # fmt: skip
_EXTRINSICS = np.array([
    (-math.pi, math.pi),  # azimuth of the camera, rad
    (4000.0, 6000.0),  # horizontal distance from the middle, mm
    (1000.0, 2200.0),  # height, mm
    (-200.0, 200.0),  # aimed at: x, mm
    (-200.0, 200.0),  # aimed at: y, mm
    (750.0, 1050.0),  # aimed at: z, mm
    (-0.05, 0.05),  # roll, rad
])  # fmt: skip
# Cameras as people hold them: from a short lens close by to a long one far off, looking up or down
# on the person, and hardly ever level.
_HELD_INTRINSICS = np.array([
    (900.0, 1800.0),  # fx px, of a picture of 1000
    (0.998, 1.002),  # fy / fx
    (450.0, 550.0),  # cx px
    (450.0, 550.0),  # cy px
    (-0.10, 0.05),  # k1
    (-0.05, 0.05),  # k2
    (0.0, 0.0),  # k3
    (-0.001, 0.001),  # p1
    (-0.001, 0.001),  # p2
])  # fmt: skip
_HELD_EXTRINSICS = np.array([
    (-math.pi, math.pi),  # azimuth of the camera, rad
    (3200.0, 8000.0),  # horizontal distance from the middle, mm
    (math.radians(-10), math.radians(35)),  # pitch, rad: how far it looks down
    (-300.0, 300.0),  # aimed at: x, mm
    (-300.0, 300.0),  # aimed at: y, mm
    (700.0, 1200.0),  # aimed at: z, mm
])  # fmt: skip
_HELD_ROLL = math.radians(12)  # standard deviation


# Whatever takes pictures: from a wide phone at arm's length to a telephoto lens across a court,
# from the floor or from overhead, the person anywhere in the picture and beyond its edges.
_ANY_EXTRINSICS = np.array([
    (-math.pi, math.pi),  # azimuth of the camera, rad
    (math.log(1000.0), math.log(12000.0)),  # logarithm of the distance from the person, mm
    (-1.0, 1.0),  # pitch, of the steepest either way, bent towards level
    (-1.0, 1.0),  # where the person is in the picture: x, of half of it, bent towards the middle
    (-1.0, 1.0),  # y
    (math.log(0.7), math.log(3.0)),  # logarithm of the focal length over the picture's side
])  # fmt: skip
_ANY_PITCH = np.radians([30, 75])  # steepest: looking up, looking down
_ANY_ROLL = math.radians(15)  # standard deviation
_ANY_BENT = 1.6  # power
_ANY_TALLEST = 1.6  # pictures that a person 1700 mm tall may fill
_ANY_LOWEST_MM = 100.0  # of the camera, above the floor

Kind = Literal["studio", "held", "any"]


@dataclass(frozen=True, slots=True)
class Views:
    """N cameras, each with its place in the world and the size of its picture."""

    camera: Camera  # parameters (N, 10), float64
    rotation: Tensor  # (N, 3, 3) world to camera
    position_mm: Tensor  # (N, 3) the camera's centre, world frame
    size_px: Tensor  # (N, 2) width, height

    def __getitem__(self, index: Tensor) -> Views:
        return Views(
            self.camera[index], self.rotation[index], self.position_mm[index], self.size_px[index]
        )


@dataclass(frozen=True, slots=True)
class Rig:
    """What cameras there are: a list to choose from, or None to invent one at every draw."""

    cameras: Views | None = None
    invented: Kind = "studio"

    @property
    def follows(self) -> bool:
        """Whether cameras stand about the person and not about the room."""
        return self.cameras is None and self.invented == "any"

    @classmethod
    def studio(cls) -> Rig:
        """Invented cameras of a motion-capture studio, a new one at every draw."""
        return cls()

    @classmethod
    def held(cls) -> Rig:
        """Invented cameras as people hold them, a new one at every draw."""
        return cls(invented="held")

    @classmethod
    def from_file(cls, path: str | Path) -> Rig:
        """Real cameras from a JSON file, every (subject, camera) pair of it; see docs/data.md.

        The file's distortion is in OpenCV's order, k1 k2 p1 p2 k3. Its numbers are taken with the
        tangential factor 1 of the toolbox that made Human3.6M, unless the file has a top-level
        `tangential_factor`. Each subject's room is moved so that its cameras look at its middle.

        Raises:
            ValueError: the file is not such a list of cameras.
        """
        table = read_camera_table(Path(path))
        try:
            return cls(_listed(table))
        except ValueError as error:
            raise ValueError(f"{path}: not a camera file: {error}") from error

    def draw(
        self,
        seed: int,
        index: NDArray[np.int64],  # (N,)
        at_mm: Tensor | None = None,  # (N, 3) world: who is looked at, if that is asked for
    ) -> Views:
        """One camera for each index."""
        if self.follows:
            assert at_mm is not None
            return _around(seed, index, at_mm.double().numpy())
        if self.cameras is None:
            return _invent(seed, index, self.invented)
        known = len(self.cameras.size_px)
        picked = (counter_random.uniform(seed, index, 1, "camera")[:, 0] * known).astype(np.int64)
        return self.cameras[torch.from_numpy(picked)]

    def check_room(self, radius_mm: float) -> None:
        """Refuse a camera that stands among the people, or has them behind it.

        Args:
            radius_mm: how far from the middle of the room any joint may be.

        Raises:
            ValueError: the middle is not further than that before every camera.
        """
        if self.follows:
            return
        cameras = self.cameras or self.draw(0, np.arange(1000))
        depth = float(-(cameras.rotation[:, 2] * cameras.position_mm).sum(-1).max())
        if depth <= radius_mm:
            raise ValueError(
                f"the middle of the room lies {depth:.0f} mm before a camera, but people reach "
                f"{radius_mm:.0f} mm from it: take a smaller radius_mm or other cameras"
            )


def place(
    joints_world: Tensor,  # (N, T, J, 3) mm, world frame, z up
    seed: int,
    index: NDArray[np.int64],  # (N,)
    *,
    present: int = 0,  # the frame of each clip that is put there
    radius_mm: float = 1000.0,
    root: int = 0,
) -> Tensor:  # (N, T, J, 3) mm, world frame
    """Turn each clip about the vertical and put its root within the radius of the middle.

    Heights stay; the new place is uniform over the disc.
    """
    u = counter_random.uniform(seed, index, 3, "place")
    yaw, bearing = 2 * math.pi * u[:, 0], 2 * math.pi * u[:, 1]
    distance = radius_mm * np.sqrt(u[:, 2])
    cos, sin, zero, one = np.cos(yaw), np.sin(yaw), np.zeros(len(u)), np.ones(len(u))
    turn_t = np.stack([cos, sin, zero, -sin, cos, zero, zero, zero, one], -1).reshape(-1, 1, 3, 3)
    goal = np.stack([distance * np.cos(bearing), distance * np.sin(bearing), zero], -1)
    pivot = joints_world[:, present, root] * joints_world.new_tensor([1.0, 1.0, 0.0])
    turned = (joints_world - pivot[:, None, None]) @ torch.from_numpy(turn_t).to(joints_world)
    return turned + torch.from_numpy(goal).to(joints_world)[:, None, None]


def _invent(seed: int, index: NDArray[np.int64], kind: Kind) -> Views:
    """Cameras from `kind`'s table; 7 numbers for the place whichever it is."""
    studio = kind == "studio"
    limits = np.concatenate(
        [_INTRINSICS, _EXTRINSICS] if studio else [_HELD_INTRINSICS, _HELD_EXTRINSICS, [(0.0, 1.0)]]
    )
    values = limits[:, 0] + np.ptp(limits, 1) * counter_random.uniform(
        seed, index, len(limits), "camera"
    )
    inside, outside = values[:, : len(_INTRINSICS)], values[:, len(_INTRINSICS) :]
    inside[:, 1] *= inside[:, 0]
    parameters = np.concatenate([inside, np.ones((len(values), 1))], 1)
    azimuth, distance, height, roll = outside[:, 0], outside[:, 1], outside[:, 2], outside[:, 6]
    if not studio:
        height = outside[:, 5] + distance * np.tan(height)  # from the pitch
        roll = _HELD_ROLL * torch.special.ndtri(torch.from_numpy(roll)).numpy()
    position = np.stack([distance * np.cos(azimuth), distance * np.sin(azimuth), height], -1)
    return Views(
        Camera(torch.from_numpy(parameters)),
        torch.from_numpy(_looking_at(outside[:, 3:6] - position, roll)),
        torch.from_numpy(position),
        torch.full((len(values), 2), _PICTURE_PX, dtype=torch.float64),
    )


def _around(
    seed: int,
    index: NDArray[np.int64],  # (N,)
    at: NDArray[np.float64],  # (N, 3) mm, world: the person
) -> Views:
    """Cameras of kind "any"."""
    limits = np.concatenate([_HELD_INTRINSICS, _ANY_EXTRINSICS, [(0.0, 1.0)]])
    u = counter_random.uniform(seed, index, len(limits), "camera")
    values = limits[:, 0] + np.ptp(limits, 1) * u
    inside, outside = values[:, : len(_HELD_INTRINSICS)], values[:, len(_HELD_INTRINSICS) :]
    azimuth, distance = outside[:, 0], np.exp(outside[:, 1])
    pitch, *off = (np.sign(x) * np.abs(x) ** _ANY_BENT for x in outside[:, 2:5].T)
    pitch = pitch * np.where(pitch < 0, *_ANY_PITCH)
    focal = np.minimum(np.exp(outside[:, 5]), _ANY_TALLEST * distance / 1700)
    inside[:, 0] = focal * _PICTURE_PX
    inside[:, 1] *= inside[:, 0]
    level = np.stack([np.cos(azimuth), np.sin(azimuth)], -1) * np.cos(pitch)[:, None]
    position = at + distance[:, None] * np.concatenate([level, np.sin(pitch)[:, None]], -1)
    position[:, 2] = position[:, 2].clip(_ANY_LOWEST_MM)
    roll = _ANY_ROLL * torch.special.ndtri(torch.from_numpy(outside[:, 6])).numpy()
    right, down, forward = _looking_at(at - position, roll).transpose(1, 0, 2)
    # Aimed to the side by what brings the person off the middle.
    aside = [0.5 / focal * share for share in off]
    aimed = forward - aside[0][:, None] * right - aside[1][:, None] * down
    forward = aimed / np.linalg.norm(aimed, axis=-1, keepdims=True)
    right = right - (right * forward).sum(-1, keepdims=True) * forward
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    rotation = np.stack([right, np.cross(forward, right), forward], 1)
    return Views(
        Camera(torch.from_numpy(np.concatenate([inside, np.ones((len(inside), 1))], 1))),
        torch.from_numpy(rotation),
        torch.from_numpy(position),
        torch.full((len(values), 2), _PICTURE_PX, dtype=torch.float64),
    )


def _looking_at(
    direction: NDArray[np.float64],  # (N, 3) world frame, not vertical
    roll: NDArray[np.float64],  # (N,) rad
) -> NDArray[np.float64]:  # (N, 3, 3) world to camera
    forward = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    right = np.stack([forward[:, 1], -forward[:, 0], np.zeros(len(forward))], -1)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    return np.stack([cos * right + sin * down, cos * down - sin * right, forward], 1)


def _listed(table: CameraTable) -> Views:
    lenses = {lens.id: lens for lens in table.intrinsics}
    if len(lenses) != len(table.intrinsics):
        raise ValueError("two entries of `intrinsics` have one id; give each camera its own")
    parameters, rotations, positions, sizes = [], [], [], []
    for subject, stands in table.extrinsics.items():
        rotation = np.array([each.R_world_to_camera for each in stands]).reshape(-1, 3, 3)
        position = np.array([each.position_mm for each in stands]).reshape(-1, 3)
        if (
            not np.allclose(rotation @ rotation.swapaxes(-1, -2), np.eye(3), atol=1e-5)
            or (np.linalg.det(rotation) < 0).any()
        ):
            raise ValueError(f"an R_world_to_camera of {shown(subject)} is not a rotation")
        rotations.append(rotation)
        positions.append(position - _middle(rotation[:, 2], position))
        for stand in stands:
            if stand.id not in lenses:
                raise ValueError(f"`intrinsics` has no camera {shown(stand.id)}")
            lens = lenses[stand.id]
            k1, k2, p1, p2, k3 = lens.distortion_k1_k2_p1_p2_k3
            pinhole = (lens.fx, lens.fy, lens.cx, lens.cy)
            parameters.append((*pinhole, k1, k2, k3, p1, p2, table.tangential_factor))
            sizes.append((lens.width, lens.height))
    if not parameters:
        raise ValueError("`extrinsics` names no camera")
    return Views(
        Camera(torch.tensor(parameters, dtype=torch.float64)),
        torch.from_numpy(np.concatenate(rotations)),
        torch.from_numpy(np.concatenate(positions)),
        torch.tensor(sizes, dtype=torch.float64),
    )


def _middle(
    axes: NDArray[np.float64],  # (M, 3) unit vectors of the optical axes, world frame
    position: NDArray[np.float64],  # (M, 3) mm
) -> NDArray[np.float64]:  # (3,) mm, on the floor (z = 0)
    """The point nearest to all optical axes, put on the floor.

    Of a lone camera, whose axis is all equally near, the point nearest to the world's origin.
    """
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    offset = (across @ position[..., None]).sum(0)[:, 0]
    x, y, _ = np.linalg.lstsq(across.sum(0), offset, rcond=None)[0]
    return np.array([x, y, 0.0])
