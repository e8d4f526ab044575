"""How lifters are told a pose and how they answer: z-scores in, z-scores out, and the loss.

`px` tells pixels as they are. `rays` takes the intrinsics out, turns each frame's person onto the
optical axis, divides by their own size, and gives the root's direction and that size beside it.
The statistics are buffers, so they travel in the state dict of the lifter that holds them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from posezoo import losses
from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.geometry import root_relative, rotation_to_optical_axis
from posezoo.skeleton import Skeleton

InputForm = Literal["px", "rays"]
LossForm = Literal["l2", "l1", "mpjpe"]


class Normalisation(nn.Module):
    """Between pixels or millimetres and the numbers that a lifter computes with.

    A frame's inputs are x y of each joint in joint order, then `num_extra` numbers of the whole
    person, then, if asked for, the detector's confidence in each joint; its outputs are x y z of
    each joint.
    """

    input_mean: Tensor  # (inputs,) in the unit of the input form
    input_std: Tensor
    output_mean: Tensor  # (3 J,) mm
    output_std: Tensor

    def __init__(
        self, *, skeleton: Skeleton, input: InputForm, loss: LossForm, confidence: bool = False
    ) -> None:
        super().__init__()
        self.root = skeleton.root
        self.input_form, self.num_extra = {"px": (_as_px, 0), "rays": (_as_rays, 3)}[input]
        self.loss_form = loss
        num_told = 2 * skeleton.num_joints + self.num_extra
        self.num_inputs = num_told + confidence * skeleton.num_joints
        self.num_outputs = 3 * skeleton.num_joints
        self.register_buffer("input_mean", torch.zeros(num_told))
        self.register_buffer("input_std", torch.ones(num_told))
        self.register_buffer("output_mean", torch.zeros(self.num_outputs))
        self.register_buffer("output_std", torch.ones(self.num_outputs))

    def inputs(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1: told as -1 to 1 at the end
    ) -> tuple[Tensor, Tensor]:  # (B, T, inputs) z-scores; (B, T, 3, 3) back to the camera frame
        """What a lifter is told, and each frame's rotation for `joints3d`."""
        inputs, to_camera = self.input_form(joints2d, camera, self.root)
        inputs = (inputs - self.input_mean) / self.input_std
        if confidence is not None:
            inputs = torch.cat([inputs, 2 * confidence - 1], -1)
        return inputs, to_camera

    def joints3d(
        self,
        outputs: Tensor,  # (B, T, 3 J) z-scores
        to_camera: Tensor,  # (B, T, 3, 3), of the same frames
    ) -> Tensor:  # (B, T, J, 3) mm, camera frame, root exactly 0
        """What a lifter's answer means."""
        joints = (outputs * self.output_std + self.output_mean).unflatten(-1, (-1, 3))
        return root_relative(joints @ to_camera, self.root)

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        batch: Batch,  # of the predicted frames; joints not labelled do not count
    ) -> Tensor:  # scalar; z-score units for "l1" and "l2", mm for "mpjpe"
        """The training loss that was asked for."""
        target, labelled = batch.joints3d, batch.labelled3d
        if self.loss_form == "mpjpe":
            return losses.mean_distance(predicted, target, labelled)
        std = self.output_std.view(-1, 3)
        compare = losses.squared_error if self.loss_form == "l2" else losses.absolute_error
        return compare(predicted / std, target / std, labelled)

    @torch.no_grad()
    def fit(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take the mean and standard deviation of every input and output number."""
        inputs, to_camera = self.input_form(batch.joints2d, batch.camera, self.root)
        outputs = (batch.joints3d @ to_camera.transpose(-1, -2)).flatten(-2)
        for name, values in (("input", inputs.flatten(0, 1)), ("output", outputs.flatten(0, 1))):
            std = values.std(0)
            getattr(self, f"{name}_mean").copy_(values.mean(0))
            # A number that never changes (the root's) is left as it is, not divided by zero.
            getattr(self, f"{name}_std").copy_(torch.where(std > 1e-6, std, 1.0))


def _as_px(
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,
    root: int,
) -> tuple[Tensor, Tensor]:  # (B, T, 2 J) and the identity: outputs are in the camera frame
    del camera, root
    same = torch.eye(3, dtype=joints2d.dtype, device=joints2d.device)
    return joints2d.flatten(-2), same.expand(*joints2d.shape[:2], 3, 3)


def _as_rays(
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,  # parameters (B, 10)
    root: int,
) -> tuple[Tensor, Tensor]:  # (B, T, 2 J + 3) and a rotation (B, T, 3, 3) for row vectors
    """Directions turned so that the root lies on the optical axis, over their own size."""
    rays = camera.to_rays(joints2d.flatten(1, 2), beyond="edge").view_as(joints2d)
    root_ray = rays[..., root, :]
    turn = rotation_to_optical_axis(root_ray)
    turned = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ turn.transpose(-1, -2)
    flat = turned[..., :2] / turned[..., 2:].clamp_min(0.1)  # a wild detection may lie behind
    size = flat.square().sum(-1).mean(-1, keepdim=True).sqrt().clamp_min(1e-3)
    shape = (flat / size[..., None]).flatten(-2)
    return torch.cat([shape, root_ray, size.log()], -1), turn
