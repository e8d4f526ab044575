"""A residual perceptron from 2D joints to 3D joints.

Martinez et al. 2017, "A simple yet effective baseline for 3d human pose estimation",
arXiv:1705.03098. The defaults are the published recipe: z-scored pixels in, z-scored millimetres
out, squared error. `input="rays"` keeps the network and changes what it is told: the intrinsics
are taken out, the person is turned onto the optical axis and divided by their own size, and the
root's direction and that size are given beside it. Differs from the paper: all 17 joints go in
(16 there), and max-norm is off (the source report measured harm; see `MaxNormLinear`).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo import losses
from posezoo.camera import Camera
from posezoo.geometry import root_relative, rotation_to_optical_axis
from posezoo.skeleton import Skeleton

MaxNormKind = Literal["frobenius_forward", "frobenius_inplace", "per_unit"]


class Martinez(nn.Module):
    """Linear, then blocks of (linear, batch norm, ReLU, dropout) twice with a shortcut, linear."""

    frames = 1
    input_mean: Tensor  # (inputs,) in the unit of the input form
    input_std: Tensor
    output_mean: Tensor  # (3 J,) mm
    output_std: Tensor

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        width: int = 1024,
        blocks: int = 2,
        dropout: float = 0.5,
        input: Literal["px", "rays"] = "px",
        loss: Literal["l2", "l1", "mpjpe"] = "l2",
        start: Literal["kaiming", "mean_pose"] = "kaiming",
        max_norm: float = 0.0,
        max_norm_kind: MaxNormKind = "frobenius_forward",
    ) -> None:
        super().__init__()
        self.root = skeleton.root
        self.input_form, extra = {"px": (_as_px, 0), "rays": (_as_rays, 3)}[input]
        self.loss_form = loss
        inputs, outputs = 2 * skeleton.num_joints + extra, 3 * skeleton.num_joints

        def linear(fan_in: int, fan_out: int) -> MaxNormLinear:
            return MaxNormLinear(fan_in, fan_out, limit=max_norm, kind=max_norm_kind)

        def layer(fan_in: int) -> nn.Sequential:
            return nn.Sequential(
                linear(fan_in, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)
            )

        self.stem = layer(inputs)
        self.blocks = nn.ModuleList(
            nn.Sequential(layer(width), layer(width)) for _ in range(blocks)
        )
        self.out = linear(width, outputs)
        if start == "mean_pose":  # a Kaiming output layer first has to unlearn its random pose
            nn.init.zeros_(self.out.weight)
        self.register_buffer("input_mean", torch.zeros(inputs))
        self.register_buffer("input_std", torch.ones(inputs))
        self.register_buffer("output_mean", torch.zeros(outputs))
        self.register_buffer("output_std", torch.ones(outputs))

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
    ) -> Tensor:  # (B, T, J, 3) mm, camera frame, root exactly 0
        """Lift each frame by itself."""
        inputs, to_camera = self.input_form(joints2d, camera, self.root)
        x = ((inputs - self.input_mean) / self.input_std).flatten(0, 1)
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        outputs = self.out(x) * self.output_std + self.output_mean
        joints3d = outputs.view(*joints2d.shape[:-1], 3) @ to_camera
        return root_relative(joints3d, self.root)

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        target: Tensor,  # (B, T, J, 3) mm
    ) -> Tensor:  # scalar; z-score units for "l1" and "l2", mm for "mpjpe"
        """The training loss that the lifter was built with."""
        if self.loss_form == "mpjpe":
            return losses.distances(predicted, target).mean()
        std = self.output_std.view(-1, 3)
        compare = losses.squared_error if self.loss_form == "l2" else losses.absolute_error
        return compare(predicted / std, target / std)

    @torch.no_grad()
    def fit_normalisation(
        self,
        joints2d: Tensor,  # (N, T, J, 2) px
        joints3d: Tensor,  # (N, T, J, 3) mm, camera frame, root-relative
        camera: Camera,  # parameters (N, 10)
    ) -> None:
        """Mean and standard deviation of every input and output number."""
        inputs, to_camera = self.input_form(joints2d, camera, self.root)
        outputs = (joints3d @ to_camera.transpose(-1, -2)).flatten(-2)
        for name, values in (("input", inputs.flatten(0, 1)), ("output", outputs.flatten(0, 1))):
            std = values.std(0)
            getattr(self, f"{name}_mean").copy_(values.mean(0))
            # A number that never changes (the root's) is left as it is, not divided by zero.
            getattr(self, f"{name}_std").copy_(torch.where(std > 1e-6, std, 1.0))


def _as_px(joints2d: Tensor, camera: Camera, root: int) -> tuple[Tensor, Tensor]:
    """Pixels as they are, and the identity: outputs are in the camera frame already."""
    del camera, root
    return joints2d.flatten(-2), torch.eye(3, dtype=joints2d.dtype, device=joints2d.device)


def _as_rays(
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,  # parameters (B, 10)
    root: int,
) -> tuple[Tensor, Tensor]:  # (B, T, 2 J + 3) and a rotation (B, T, 3, 3) for row vectors
    """Directions turned so that the root lies on the optical axis, over their own size."""
    rays = camera.to_rays(joints2d.flatten(1, 2)).view_as(joints2d)
    root_ray = rays[..., root, :]
    turn = rotation_to_optical_axis(root_ray)
    turned = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ turn.transpose(-1, -2)
    flat = turned[..., :2] / turned[..., 2:].clamp_min(0.1)  # a wild detection may lie behind
    size = flat.square().sum(-1).mean(-1, keepdim=True).sqrt().clamp_min(1e-3)
    shape = (flat / size[..., None]).flatten(-2)
    return torch.cat([shape, root_ray, size.log()], -1), turn


class MaxNormLinear(nn.Linear):
    """A linear layer whose weight is held to a norm of `limit` (0: free), in one of three senses.

    `frobenius_forward` scales the whole matrix in the forward graph, as the paper's own code does;
    `frobenius_inplace` projects the stored matrix before each training step, and `per_unit` each
    unit's incoming weights (Srivastava et al. 2014). The stored norm decides how far an Adam step
    goes, which is why the three train so differently at one limit.
    """

    def __init__(self, fan_in: int, fan_out: int, *, limit: float, kind: MaxNormKind) -> None:
        super().__init__(fan_in, fan_out)
        self.limit, self.kind = limit, kind
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, fan_in) to (N, fan_out)."""
        if not self.limit:
            return super().forward(x)
        if self.kind == "frobenius_forward":
            return functional.linear(x, self.weight * self._shrink(self.weight.norm()), self.bias)
        if self.training:
            with torch.no_grad():
                per_unit = self.kind == "per_unit"
                norm = self.weight.norm(dim=1, keepdim=True) if per_unit else self.weight.norm()
                self.weight.mul_(self._shrink(norm))
        return super().forward(x)

    def _shrink(self, norm: Tensor) -> Tensor:
        return (self.limit / norm.clamp_min(1e-12)).clamp_max(1.0)
