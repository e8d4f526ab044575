"""How lifters are told a pose and how they answer, and the loss.

`px` tells pixels as they are. `rays` takes the intrinsics out, turns each frame's person onto the
optical axis, divides by their own size, and gives the root's direction and that size beside it.
Both are z-scores, in and out, by statistics of the training data.

`screen` and `screen25d` are the forms of published video lifters (VideoPose3D and MotionBERT): x
and y in half widths of the picture, from its middle. Here it is the picture that a camera of
Human3.6M's focal length takes, so that a network trained there also knows what it is told of other
lenses and of crops. `screen` answers in metres. `screen25d` answers in the picture, x and y as they
are seen and z to the same scale, which says nothing of mm: perspective is undone by where the root
is seen, and the person is given arms and legs of `limbs_mm` in all, an adult's by assumption, or
those of the training data.

Statistics are buffers, so they travel in the state dict of the lifter that holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from posezoo import losses
from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.geometry import root_relative, rotation_to_optical_axis
from posezoo.skeleton import Skeleton

InputForm = Literal["px", "rays", "screen", "screen25d"]
LossForm = Literal["l2", "l1", "mpjpe"]

_FOCAL = 2.29  # Human3.6M's: 1145 px where half a picture is 500 px wide
_LIMBS_MM = 2850.0  # of an adult of 1.72 m
_LIMB_ENDS = ("knee", "ankle", "elbow", "wrist")


class Normalisation(nn.Module):
    """Between pixels or millimetres and the numbers that a lifter computes with.

    A frame's inputs are x y of each joint in joint order, then `num_extra` numbers of the whole
    person, then, if asked for, the detector's confidence in each joint; its outputs are x y z of
    each joint. `joints2d` is the set of the 2D joints, where it is not the skeleton.
    """

    input_mean: Tensor  # (inputs,) in the unit of the input form
    input_std: Tensor
    output_mean: Tensor  # (3 J,) mm
    output_std: Tensor
    focal: Tensor  # (), half widths of a picture; of the screen forms
    limbs_mm: Tensor  # (); of `screen25d`

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        input: InputForm,
        loss: LossForm,
        confidence: bool = False,
        joints2d: Skeleton | None = None,
    ) -> None:
        super().__init__()
        joints2d = joints2d or skeleton
        self.form, self.loss_form, self.confidence = _FORMS[input], loss, confidence
        self.root, self.root2d, self.num_joints = skeleton.root, joints2d.root, joints2d.num_joints
        self.num_extra = self.form.num_extra
        self.num_told = 2 * self.num_joints + self.num_extra
        self.num_inputs = self.num_told + confidence * self.num_joints
        self.num_outputs = 3 * skeleton.num_joints
        self.register_buffer("input_mean", torch.zeros(self.num_told))
        self.register_buffer("input_std", torch.ones(self.num_told))
        self.register_buffer("output_mean", torch.zeros(self.num_outputs))
        self.register_buffer("output_std", torch.full((self.num_outputs,), self.form.unit_mm))
        if not self.form.is_fitted:
            self.register_buffer("focal", torch.tensor(_FOCAL))
        if self.form.is_seen:
            self.register_buffer("limbs_mm", torch.tensor(_LIMBS_MM))
            self.limbs = _limbs(skeleton)

    def inputs(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: sure, if that is told at all
    ) -> tuple[Tensor, Tensor]:  # (B, T, inputs); (B, T, 3, 3) back to the camera frame
        """What a lifter is told, and each frame's matrix for `joints3d`."""
        focal = None if self.form.is_fitted else self.focal
        with _float32(joints2d):
            inputs, to_camera = self.form.told(joints2d, camera, self.root2d, focal)
        inputs = (inputs - self.input_mean) / self.input_std
        if self.confidence:
            sure = joints2d.new_ones(joints2d.shape[:-1]) if confidence is None else confidence
            # Beside z-scores as -1 to 1; published networks are told it as it is.
            inputs = torch.cat([inputs, 2 * sure - 1 if self.form.is_fitted else sure], -1)
        return inputs, to_camera

    def by_joint(
        self,
        inputs: Tensor,  # (..., inputs)
    ) -> Tensor:  # (..., J, inputs_by_joint)
        """The same, told to each joint: its own x y, what is said of the person, its confidence."""
        own, shared, sure = inputs.tensor_split([2 * self.num_joints, self.num_told], -1)
        own = own.unflatten(-1, (self.num_joints, 2))
        shared = shared[..., None, :].expand(*own.shape[:-1], -1)
        return torch.cat([own, shared, *([sure[..., None]] if self.confidence else [])], -1)

    @property
    def inputs_by_joint(self) -> int:
        """How many numbers a joint is told."""
        return 2 + self.num_extra + self.confidence

    def joints3d(
        self,
        outputs: Tensor,  # (B, T, 3 J)
        to_camera: Tensor,  # (B, T, 3, 3), of the same frames
    ) -> Tensor:  # (B, T, J, 3) mm, camera frame, root exactly 0
        """What a lifter's answer means."""
        with _float32(outputs):
            return self._meant(outputs, to_camera)

    def _meant(self, outputs: Tensor, to_camera: Tensor) -> Tensor:
        joints = (outputs * self.output_std + self.output_mean).unflatten(-1, (-1, 3))
        if not self.form.is_seen:
            return root_relative(joints @ to_camera, self.root)
        # What is nearer than the root by a share of its distance is seen larger by that share.
        joints = root_relative(joints, self.root)
        x_y, z = joints.tensor_split([2], -1)
        joints = torch.cat([x_y * (1 + z / self.focal), z], -1) @ to_camera
        return joints * (self.limbs_mm / self._limbs(joints).clamp_min(1e-6))

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
        """Take the mean and standard deviation of every input and output number, or the size."""
        if self.form.is_seen:
            self.limbs_mm.copy_(self._limbs(batch.joints3d).mean())
        if not self.form.is_fitted:
            return
        inputs, to_camera = self.form.told(batch.joints2d, batch.camera, self.root2d, None)
        outputs = (batch.joints3d @ to_camera.transpose(-1, -2)).flatten(-2)
        for name, values in (("input", inputs.flatten(0, 1)), ("output", outputs.flatten(0, 1))):
            std = values.std(0)
            getattr(self, f"{name}_mean").copy_(values.mean(0))
            # A number that never changes (the root's) is left as it is, not divided by zero.
            getattr(self, f"{name}_std").copy_(torch.where(std > 1e-6, std, 1.0))

    def _limbs(
        self,
        joints: Tensor,  # (B, T, J, 3)
    ) -> Tensor:  # (B, T, 1, 1), same unit: arms and legs together
        parents, children = zip(*self.limbs, strict=True)
        bones = joints[..., list(children), :] - joints[..., list(parents), :]
        return bones.norm(dim=-1).sum(-1)[..., None, None]


def _limbs(skeleton: Skeleton) -> list[tuple[int, int]]:
    limbs = [bone for bone in skeleton.bones if skeleton.joints[bone[1]].endswith(_LIMB_ENDS)]
    if not limbs:
        raise ValueError(
            f"input=screen25d takes a person's size from arms and legs, and {skeleton.name} has "
            "none; take input=screen"
        )
    return limbs


def _as_px(
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,
    root: int,
    focal: Tensor | None,
) -> tuple[Tensor, Tensor]:  # (B, T, 2 J) and the identity: outputs are in the camera frame
    del camera, root, focal
    return joints2d.flatten(-2), _same(joints2d)


def _as_rays(
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,  # parameters (B, 10)
    root: int,
    focal: Tensor | None,
) -> tuple[Tensor, Tensor]:  # (B, T, 2 J + 3) and a rotation (B, T, 3, 3) for row vectors
    """Directions turned so that the root lies on the optical axis, over their own size."""
    del focal
    rays = camera.to_rays(joints2d.flatten(1, 2), beyond="edge").view_as(joints2d)
    root_ray = rays[..., root, :]
    turn = rotation_to_optical_axis(root_ray)
    turned = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ turn.transpose(-1, -2)
    flat = turned[..., :2] / turned[..., 2:].clamp_min(0.1)  # a wild detection may lie behind
    size = flat.square().sum(-1).mean(-1, keepdim=True).sqrt().clamp_min(1e-3)
    shape = (flat / size[..., None]).flatten(-2)
    return torch.cat([shape, root_ray, size.log()], -1), turn


def _as_screen(
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,  # parameters (B, 10)
    root: int,
    focal: Tensor | None,  # (), half widths
) -> tuple[Tensor, Tensor]:  # (B, T, 2 J) half widths, and the identity
    del root
    assert focal is not None
    scale, middle = (value[:, None, None] for value in (focal / camera.focal, camera.centre))
    return ((joints2d - middle) * scale).flatten(-2), _same(joints2d)


def _as_screen_25d(
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,  # parameters (B, 10)
    root: int,
    focal: Tensor | None,  # (), half widths
) -> tuple[Tensor, Tensor]:  # (B, T, 2 J) half widths, and (B, T, 3, 3) for row vectors
    """The matrix moves what is behind the root along the root's line of sight."""
    inputs, same = _as_screen(joints2d, camera, root, focal)
    sight = inputs.unflatten(-1, (-1, 2))[..., root, :] / focal  # x/z, y/z of the root
    sight = torch.cat([sight, torch.ones_like(sight[..., :1])], -1)
    return inputs, torch.cat([same[..., :2, :], sight[..., None, :]], -2)


def _float32(tensor: Tensor) -> AbstractContextManager[Any]:
    """Geometry is no network: its products keep their digits under autocast."""
    kind = tensor.device.type
    # A context that changes nothing would still be written into an exported graph.
    on = kind != "meta" and torch.is_autocast_enabled(kind)  # which has no autocast to ask for
    return torch.autocast(kind, enabled=False) if on else nullcontext()


def _same(joints2d: Tensor) -> Tensor:  # (B, T, 3, 3)
    same = torch.eye(3, dtype=joints2d.dtype, device=joints2d.device)
    return same.expand(*joints2d.shape[:2], 3, 3)


@dataclass(frozen=True)
class _Form:
    """What differs between the forms."""

    told: Callable[[Tensor, Camera, int, Tensor | None], tuple[Tensor, Tensor]]
    num_extra: int = 0  # numbers of the whole person
    is_fitted: bool = True  # z-scores by statistics of training data
    is_seen: bool = False  # the answer is what is seen in the picture
    unit_mm: float = 1.0  # of the answer, before it is fitted


_FORMS = {
    "px": _Form(_as_px),
    "rays": _Form(_as_rays, num_extra=3),
    "screen": _Form(_as_screen, is_fitted=False, unit_mm=1000.0),
    "screen25d": _Form(_as_screen_25d, is_fitted=False, is_seen=True),
}
