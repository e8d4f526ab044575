"""A residual perceptron from 2D joints to 3D joints.

Martinez et al. 2017, "A simple yet effective baseline for 3d human pose estimation",
arXiv:1705.03098. The defaults are the published recipe: z-scored pixels in, z-scored millimetres
out, squared error. `input="rays"` keeps the network and changes what it is told
(`posezoo.normalisation`). Differs from the paper: all 17 joints go in and come out
(`joints="published"`: no neck goes in and no pelvis comes out, 16 each), and max-norm is off (the
source report measured harm; see `MaxNormLinear`).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.lifters._blocks import FastDropout
from posezoo.limits import Dropout, Layers, NotNegative, Width
from posezoo.normalisation import InputForm, LossForm, Normalisation
from posezoo.skeleton import Skeleton

MaxNormKind = Literal["frobenius_forward", "frobenius_inplace", "per_unit"]


class Martinez(nn.Module):
    """Linear, then blocks of (linear, batch norm, ReLU, dropout) twice with a shortcut, linear.

    Args:
        skeleton: the joints in and out.
        width: channels of the hidden layers.
        blocks: how many shortcuts, two layers each.
        dropout: probability, after each hidden layer.
        input: what is told of the picture: "px", "rays" without the intrinsics, or "screen"
            (`posezoo.normalisation`).
        loss: "l2" or "l1" of z-scores, or "mpjpe" in mm.
        confidence: tell the detector's confidence in each joint too.
        joints: "published" tells no neck and answers no pelvis, 16 joints each.
        zero_init: start with the mean pose as every answer.
        max_norm: greatest norm of each weight matrix; 0: any.
        max_norm_kind: of what, and when (`MaxNormLinear`).
    """

    frames, future = 1, 0
    seen: Tensor  # (inputs,) int64: the numbers that the perceptron takes, in its order
    said: Tensor  # (outputs,) int64: those that it gives; the others are 0

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        width: Width = 1024,
        blocks: Layers = 2,
        dropout: Dropout = 0.5,
        input: InputForm = "px",
        loss: LossForm = "l2",
        confidence: bool = False,
        joints: Literal["all", "published"] = "all",
        zero_init: bool = False,
        max_norm: NotNegative = 0.0,
        max_norm_kind: MaxNormKind = "frobenius_forward",
    ) -> None:
        super().__init__()
        self.takes_confidence = confidence
        self.normalisation = Normalisation(
            skeleton=skeleton, input=input, loss=loss, confidence=confidence
        )

        def linear(fan_in: int, fan_out: int) -> MaxNormLinear:
            return MaxNormLinear(fan_in, fan_out, limit=max_norm, kind=max_norm_kind)

        def layer(fan_in: int) -> nn.Sequential:
            return nn.Sequential(
                linear(fan_in, width), nn.BatchNorm1d(width), nn.ReLU(), FastDropout(dropout)
            )

        seen = torch.arange(self.normalisation.num_inputs)
        said = torch.arange(self.normalisation.num_outputs)
        if joints == "published":
            if "neck" not in skeleton.joints or input != "px" or confidence:
                raise ValueError(
                    f"joints=published leaves out the neck of plain px: input={input}, "
                    f"confidence={confidence} and {skeleton.name} do not fit; take joints=all"
                )
            seen = _without(skeleton, "neck", 2)
            said = _without(skeleton, skeleton.joints[skeleton.root], 3)
        self.register_buffer("seen", seen, persistent=False)
        self.register_buffer("said", said, persistent=False)
        self.stem = layer(len(seen))
        self.blocks = nn.ModuleList(
            nn.Sequential(layer(width), layer(width)) for _ in range(blocks)
        )
        self.out = linear(width, len(said))
        if zero_init:  # a Kaiming output layer first has to unlearn its random pose
            nn.init.zeros_(self.out.weight)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1; told if it was built to be
    ) -> Tensor:  # (B, T, J, 3) mm, camera frame, root exactly 0
        """Lift each frame by itself."""
        inputs, to_camera = self.normalisation.inputs(joints2d, camera, confidence)
        said = self.network(inputs[..., self.seen].flatten(0, 1)).unflatten(0, joints2d.shape[:2])
        outputs = said.new_zeros(*said.shape[:2], self.normalisation.num_outputs)
        outputs[..., self.said] = said
        return self.normalisation.joints3d(outputs, to_camera)

    def network(
        self,
        inputs: Tensor,  # (N, inputs) z-scores
    ) -> Tensor:  # (N, outputs) z-scores
        """The perceptron by itself."""
        x = self.stem(inputs)
        for block in self.blocks:
            x = x + block(x)
        outputs: Tensor = self.out(x)
        return outputs

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        batch: Batch,
    ) -> Tensor:  # scalar; z-score units for "l1" and "l2", mm for "mpjpe"
        """The training loss that the lifter was built with."""
        return self.normalisation.loss(predicted, batch)

    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Mean and standard deviation of every input and output number."""
        self.normalisation.fit(batch)


def _without(skeleton: Skeleton, joint: str, numbers: int) -> Tensor:
    """The places of all numbers but those of one joint."""
    left_out = skeleton.joints.index(joint)
    places = torch.arange(numbers * skeleton.num_joints)
    return places[places // numbers != left_out]


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
