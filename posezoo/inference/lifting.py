"""From what a detector found to millimetres: joint sets, and the root.

The root's absolute position is where the root-relative pose fits the rays of its 2D joints best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.camera import Camera
from posezoo.clips import lift_clip
from posezoo.contracts import DetectedPerson
from posezoo.joint_maps import map_confidence, map_joints
from posezoo.pipeline import Pipeline
from posezoo.skeleton import Skeleton

Floats: TypeAlias = NDArray[np.float64]

_SAME_MM = 1.0  # what rounding may do to a lifter's answer
_FEWEST_RAYS = 3  # joints that place a root


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One person in 3D, root-relative, camera frame."""

    joints3d: Floats  # (J, 3) mm
    sigma_mm: Floats | None = None  # (J,), from a lifter that gives it


@dataclass(frozen=True, slots=True, kw_only=True)
class Joints2d:
    """Joints of the pipeline's set, and the picture that the lifter is to think of."""

    px: Floats  # (J, 2) of the picture as given; NaN where nothing is known
    confidence: Floats  # (J,) 0 to 1; 0 where nothing is known
    scale: float = 1.0  # px of the lifter's picture = px * scale + offset: of a crop, or the same
    offset: tuple[float, float] = (0.0, 0.0)

    @property
    def whole(self) -> bool:
        """Whether every joint is known."""
        return bool(np.isfinite(self.px).all())

    @property
    def seen_px(self) -> Tensor:  # (J, 2) float64
        """Px of the lifter's picture."""
        return torch.from_numpy(self.px) * self.scale + torch.tensor(self.offset).double()

    def view(self, camera: Camera) -> Camera:
        """The camera of the lifter's picture."""
        offset = torch.tensor(self.offset).to(camera.parameters)
        return camera.resampled(camera.parameters.new_tensor(self.scale), offset)


def in_joint_set(
    found: DetectedPerson,
    source: Skeleton,
    target: Skeleton,
    *,
    scale: float = 1.0,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Joints2d:
    """The found joints as joints of another set. A joint is as sure as the least sure it rests on.

    Raises:
        ValueError: no joint of the target can be had from the source.
    """
    joints, sure = found.joints2d.detach().cpu().double(), found.confidence.detach().cpu().double()
    px, known = map_joints(joints, source, target, estimate=True)
    px[~known] = torch.nan
    confidence = map_confidence(sure, source, target, estimate=True)
    confidence[~px.isfinite().all(-1)] = 0
    return Joints2d(px=px.numpy(), confidence=confidence.numpy(), scale=scale, offset=offset)


def sees_cameras(pipeline: Pipeline) -> bool:
    """Whether the lifter takes the camera into account: a picture twice as large changes nothing.

    One that does not knows only pixels of the cameras that it was trained with.
    """
    camera = Camera.make(focal_px=(1000, 1000), centre_px=(499.5, 499.5)).to(torch.float32)
    random = torch.Generator().manual_seed(0)
    joints_mm = 1000 * torch.rand(pipeline.skeleton2d.num_joints, 3, generator=random)
    px = camera.project(joints_mm + torch.tensor([-500.0, -500.0, 4000.0]))[None, None]
    sure = torch.ones(px.shape[:-1])
    large = camera.resampled(torch.tensor(2.0), torch.zeros(2))
    one = lift_clip(pipeline, px, Camera.stack([camera]), sure, flip=False)
    other = lift_clip(pipeline, 2 * px, Camera.stack([large]), sure, flip=False)
    assert one.joints3d is not None and other.joints3d is not None
    return bool((one.joints3d - other.joints3d).abs().max() < _SAME_MM)


def root_position(
    joints3d: Floats,  # (J, 3) mm, root-relative
    px: Floats,  # (J, 2); NaN does not count
    camera: Camera,  # parameters (10,)
    weight: Floats,  # (J,) 0 or more
) -> Floats | None:  # (3,) mm, camera frame; None: the joints do not say
    """Where the root is, if the pose is right: least squares on the rays, in closed form.

    A joint at X + t on the ray (u, v, 1) has x - u z = 0 and y - v z = 0, linear in t. What is left
    over is each joint's distance in px times its depth over the focal length, so that nearer joints
    count a little less than they would by px.
    """
    rays = camera.to_rays(torch.from_numpy(px)).numpy()  # NaN too where the lens sees nothing
    counts = np.isfinite(rays).all(-1) & np.isfinite(joints3d).all(-1) & (weight > 0)
    if counts.sum() < _FEWEST_RAYS:
        return None
    rays, points, root_weight = rays[counts], joints3d[counts], np.sqrt(weight[counts])
    rows = np.zeros((2, len(points), 3))
    for axis in range(2):
        rows[axis, :, axis], rows[axis, :, 2] = 1, -rays[:, axis]
    wanted = rays.T * points[:, 2] - points[:, :2].T
    solved, _, rank, _ = np.linalg.lstsq(
        (rows * root_weight[:, None]).reshape(-1, 3), (wanted * root_weight).ravel(), rcond=None
    )
    position: Floats = solved.astype(np.float64)
    behind = (points[:, 2] + position[2] <= 0).any()
    return None if rank < 3 or behind else position
