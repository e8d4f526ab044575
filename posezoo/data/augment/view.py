"""Another look at the same scene: new axes and a new camera for picture, 2D and 3D at once.

Any mirror, roll, crop, zoom, shift or turn of a camera is one linear map of camera space,
X_new = L X_old (a rotation, or a rotation and a mirror), and a new camera that looks at the result.
Everything follows from these two, lens distortion included: a pixel of the new picture has a ray of
the new camera, the ray belongs to a ray of the old axes, and that to a pixel of the old picture.
So changes multiply, and the picture is resampled once however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.data.crop import inside
from posezoo.skeleton import Skeleton

_AHEAD = 0.1  # z of a new direction whose old z was 1: less is nearly beside the camera
_NODES = 33  # the picture's map is computed on so many nodes a side, and linear between


@dataclass(frozen=True, slots=True)
class View:
    """How B pictures are looked at, so far."""

    linear: Tensor  # (B, 3, 3) X_new = L X_old: orthogonal, its determinant -1 where mirrored
    camera: Camera  # parameters (B, 10), of the new picture
    size_px: Tensor  # (B, 2) width, height

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """The view that a batch has; without pictures the principal point is its middle."""
        camera = batch.camera
        linear = torch.eye(3).to(camera.parameters).expand(len(batch), 3, 3)
        if batch.image is None:
            return cls(linear, camera, 2 * camera.centre + 1)
        height, width = batch.image.shape[-2:]
        size = camera.parameters.new_tensor([width, height]).expand(len(batch), 2)
        return cls(linear, camera, size)

    @property
    def middle_px(self) -> Tensor:  # (B, 2) px
        """The picture's middle, the fixed point of rolls and zooms."""
        return (self.size_px - 1) / 2

    def seen_by(self, camera: Camera, turn: Tensor | None = None) -> Self:
        """The view after one more change: `turn` (B, 3, 3) the axes, then look by `camera`."""
        linear = self.linear if turn is None else turn @ self.linear
        return replace(self, linear=linear, camera=camera)


def retake(batch: Batch, view: View, skeleton: Skeleton) -> Batch:
    """Picture, joints, labels and camera as the view has them.

    A joint that leaves the picture is no longer visible; one that comes in from outside stays
    invisible, since nothing is known of its surroundings. An item on which the change cannot be
    made exactly (a joint so far from either optical axis that the lens model fails there) stays
    as it is.
    """
    if view.camera is batch.camera:
        return batch
    if batch.joints2d.shape[2] != skeleton.num_joints:
        raise ValueError(
            f"augment: the 2D joints are not those of {skeleton.name} but of the lifter's own set, "
            "and cannot be looked at anew: give it augment=''"
        )
    known = batch.labelled2d.flatten(1, 2)
    px = batch.joints2d.flatten(1, 2)
    new_px, exact = _look(px, batch.camera, view.linear, view.camera, exact_px=0.002)
    fits = (exact | ~known).all(1)
    new_px = torch.where((known & fits[:, None])[..., None], new_px, px)
    joints2d = new_px.view_as(batch.joints2d)
    linear = torch.where(fits[:, None, None], view.linear, torch.eye(3).to(view.linear))
    parameters = torch.where(fits[:, None], view.camera.parameters, batch.camera.parameters)
    camera = Camera(parameters)

    mirrored = torch.linalg.det(linear) < 0
    order = list(skeleton.mirror)

    def swapped(values: Tensor) -> Tensor:  # (B, T, J, ...): left and right where mirrored
        return torch.where(_beside(mirrored, values), values[:, :, order], values)

    turn_t = linear.transpose(-1, -2)
    joints2d, visible, image = swapped(joints2d), swapped(batch.visible), batch.image
    if image is not None:
        visible = visible & inside(joints2d, view.size_px)
        image = _resample(image, batch.camera, linear, camera)
    return replace(
        batch,
        joints2d=joints2d,
        joints3d=swapped(batch.joints3d @ turn_t[:, None]),
        root_mm=batch.root_mm @ turn_t,
        labelled2d=swapped(batch.labelled2d),
        labelled3d=swapped(batch.labelled3d),
        visible=visible,
        camera=camera,
        image=image,
        confidence=None if batch.confidence is None else swapped(batch.confidence),
    )


def _look(
    px: Tensor,  # (B, N, 2) px of `old`
    old: Camera,
    linear: Tensor,  # (B, 3, 3)
    new: Camera,
    *,
    exact_px: float,  # a pixel whose ray leads back further off than this has no ray
) -> tuple[Tensor, Tensor]:  # (B, N, 2) px of `new`, and (B, N) bool: whether that is exact
    rays = old.to_rays(px)
    exact = (old.from_rays(rays) - px).abs().amax(-1) < exact_px  # false for NaN
    seen = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ linear.transpose(-1, -2)
    exact &= seen[..., 2] > _AHEAD
    rays = seen[..., :2] / seen[..., 2:]
    new_px = new.from_rays(rays)
    # Far from its axis a lens of this model folds its picture over: those rays do not come back.
    back = (new.to_rays(new_px) - rays) * new.focal[:, None]
    return new_px, exact & (back.abs().amax(-1) < exact_px)


def _resample(
    image: Tensor,  # (B, 3, H, W) uint8
    old: Camera,
    linear: Tensor,  # (B, 3, 3) old axes to new ones
    new: Camera,
) -> Tensor:  # (B, 3, H, W) uint8, black where the old picture does not reach
    count, _, height, width = image.shape
    y = torch.linspace(0, height - 1, _NODES).to(linear)
    x = torch.linspace(0, width - 1, _NODES).to(linear)
    nodes = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1).flatten(0, 1)
    nodes, back = nodes.expand(count, -1, 2), linear.transpose(-1, -2)
    source, exact = _look(nodes, new, back, old, exact_px=0.05)
    # grid_sample's coordinates: -1 and 1 are the picture's edges.
    source = (2 * source + 1) / source.new_tensor([width, height]) - 1
    table = torch.cat([source.where(exact[..., None], 0), exact[..., None].to(source)], -1)
    table = table.unflatten(1, (_NODES, _NODES)).permute(0, 3, 1, 2)
    dense = functional.interpolate(table, (height, width), mode="bilinear", align_corners=True)
    grid = dense[:, :2].where(dense[:, 2:] > 0.999, -2).permute(0, 2, 3, 1)
    moved = functional.grid_sample(image.to(grid), grid, mode="bilinear", align_corners=False)
    return moved.round_().to(torch.uint8)


def _beside(
    flags: Tensor,  # (B,)
    values: Tensor,  # (B, ...)
) -> Tensor:  # (B, 1, ...)
    return flags.view(-1, *(1 for _ in values.shape[1:]))
