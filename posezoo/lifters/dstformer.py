"""Two streams of attention over joints and frames, in opposite order, mixed at every depth.

Zhu et al. 2023, "MotionBERT: a unified perspective on learning human motion representations",
arXiv:2210.06551 (its DSTformer). Told the detector's confidence beside each joint. Differs from the
paper: z-scores in and out (`input="screen25d"`: as published, `posezoo.normalisation` says how
millimetres come out of that), no pretraining, and the loss is of positions alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.lifters._blocks import Mix, attention_block, over_frames, over_joints
from posezoo.lifters._windows import lift_centres, lift_window
from posezoo.limits import Frames, Heads, Layers, Ratio, Width
from posezoo.normalisation import InputForm, LossForm, Normalisation
from posezoo.skeleton import Skeleton


class DstFormer(nn.Module):
    """An embedding, pairs of blocks with a mix of their answers, a representation, a linear layer.

    Args:
        skeleton: the joints.
        frames: how many frames a window has.
        width: channels of a joint.
        representation: channels of what the output layer reads.
        depth: pairs of blocks.
        heads: of every attention.
        mlp_ratio: hidden units of a perceptron, per channel.
        confidence: be told the detector's.
        input: "px", "rays" with the intrinsics taken out, or "screen25d" as published.
        loss: on z-scores ("l2", "l1") or in mm ("mpjpe").
        zero_init: an output layer of zeros, which predicts the mean pose.
    """

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        frames: Frames = 243,
        width: Width = 512,
        representation: Width = 512,
        depth: Layers = 5,
        heads: Heads = 8,
        mlp_ratio: Ratio = 2.0,
        confidence: bool = True,
        input: InputForm = "px",
        loss: LossForm = "mpjpe",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.frames, self.future = frames, (frames - 1) // 2
        self.takes_confidence = confidence
        self.normalisation = Normalisation(
            skeleton=skeleton, input=input, loss=loss, confidence=confidence
        )

        def block() -> nn.Module:
            return attention_block(width, heads=heads, mlp_ratio=mlp_ratio)

        self.embed = nn.Linear(self.normalisation.inputs_by_joint, width)
        self.joint_position = nn.Parameter(torch.empty(1, skeleton.num_joints, width))
        self.frame_position = nn.Parameter(torch.empty(1, frames, 1, width))
        self.layers = nn.ModuleList(_Layer(width, block) for _ in range(depth))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.represent = nn.Linear(width, representation)
        self.out = nn.Linear(representation, 3)
        self._start(zero_init=zero_init)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, T >= frames
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: sure
    ) -> Tensor:  # (B, T - frames + 1, J, 3) mm, camera frame, root exactly 0
        """Lift the middle frame of every window of the clip."""
        return lift_centres(
            self.network, self.normalisation, joints2d, camera, confidence, frames=self.frames
        )

    def lift_window(
        self,
        joints2d: Tensor,  # (B, frames, J, 2) px
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor | None = None,  # (B, frames, J), 0 to 1; None: sure
    ) -> Tensor:  # (B, frames, J, 3) mm, camera frame, root exactly 0
        """Lift every frame of one window."""
        return lift_window(self.network, self.normalisation, joints2d, camera, confidence)

    def network(
        self,
        inputs: Tensor,  # (N, T, J, inputs), T <= frames
    ) -> Tensor:  # (N, T, J, 3)
        """The two streams by themselves."""
        x = self.embed(inputs) + self.joint_position + self.frame_position[:, : inputs.shape[1]]
        for layer in self.layers:
            x = layer(x)
        outputs: Tensor = self.out(torch.tanh(self.represent(self.norm(x))))
        return outputs

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        batch: Batch,  # of the predicted frames
    ) -> Tensor:  # scalar; z-score units for "l1" and "l2", mm for "mpjpe"
        """The training loss that the lifter was built with."""
        return self.normalisation.loss(predicted, batch)

    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Mean and standard deviation of every input and output number, or a person's size."""
        self.normalisation.fit(batch)

    def _start(self, *, zero_init: bool) -> None:
        """The published first weights: small everywhere, and an even mix of the streams."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and not name.endswith(".mix.weigh"):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        for position in (self.joint_position, self.frame_position):
            nn.init.trunc_normal_(position, std=0.02)
        if zero_init:  # a random output layer first has to unlearn its random pose
            nn.init.zeros_(self.out.weight)


class _Layer(nn.Module):
    """One stream over joints and then over frames, one the other way round, and their mix."""

    def __init__(self, width: int, block: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.joints_first = nn.ModuleList([block(), block()])  # over joints, over frames
        self.frames_first = nn.ModuleList([block(), block()])  # over joints, over frames too
        self.mix = Mix(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, J, width) to the same."""
        of_joints, of_frames = self.joints_first
        one = over_frames(of_frames, over_joints(of_joints, x))
        of_joints, of_frames = self.frames_first
        other = over_joints(of_joints, over_frames(of_frames, x))
        mixed: Tensor = self.mix(one, other)
        return mixed
