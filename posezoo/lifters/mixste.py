"""Attention over joints and over frames in turn, to the 3D joints of every frame of a window.

Zhang et al. 2022, "MixSTE: seq2seq mixed spatio-temporal encoder for 3D human pose estimation in
video", arXiv:2203.00859. Each joint of each frame is a token all the way. One norm serves all
blocks over joints and one all blocks over frames. Differs from the paper: z-scores in and out
(`input="screen"`: as published), and no losses of velocity and of weighted joints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.lifters._blocks import attention_block, drop_path_shares, over_frames, over_joints
from posezoo.lifters._windows import lift_centres, lift_window
from posezoo.limits import Dropout, Frames, Heads, Layers, Ratio, Width
from posezoo.normalisation import InputForm, LossForm, Normalisation
from posezoo.skeleton import Skeleton


class MixSte(nn.Module):
    """An embedding, then pairs of a block over joints and a block over frames, a linear layer.

    Args:
        skeleton: the joints.
        frames: how many frames a window has.
        width: channels of a joint.
        depth: pairs of blocks.
        heads: of every attention.
        mlp_ratio: hidden units of a block's perceptron, per channel.
        drop_path: share of branches left out while training, in the last pair.
        input: "px", "rays" with the intrinsics taken out, or "screen" as published.
        loss: on z-scores ("l2", "l1") or in mm ("mpjpe").
        zero_init: an output layer of zeros, which predicts the mean pose.
    """

    takes_confidence = False

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        frames: Frames = 243,
        width: Width = 512,
        depth: Layers = 8,
        heads: Heads = 8,
        mlp_ratio: Ratio = 2.0,
        drop_path: Dropout = 0.1,
        input: InputForm = "px",
        loss: LossForm = "mpjpe",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.frames, self.future = frames, (frames - 1) // 2
        self.normalisation = Normalisation(skeleton=skeleton, input=input, loss=loss)

        def blocks() -> nn.ModuleList:
            return nn.ModuleList(
                attention_block(width, heads=heads, mlp_ratio=mlp_ratio, drop_path=share)
                for share in drop_path_shares(drop_path, depth)
            )

        self.embed = nn.Linear(self.normalisation.inputs_by_joint, width)
        self.joint_position = nn.Parameter(torch.zeros(1, skeleton.num_joints, width))
        self.frame_position = nn.Parameter(torch.zeros(1, frames, width))
        self.over_joints, self.joint_norm = blocks(), nn.LayerNorm(width, 1e-6)
        self.over_frames, self.frame_norm = blocks(), nn.LayerNorm(width, 1e-6)
        self.out_norm, self.out = nn.LayerNorm(width), nn.Linear(width, 3)
        if zero_init:  # a random output layer first has to unlearn its random pose
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, T >= frames
        camera: Camera,  # parameters (B, 10)
    ) -> Tensor:  # (B, T - frames + 1, J, 3) mm, camera frame, root exactly 0
        """Lift the middle frame of every window of the clip."""
        return lift_centres(
            self.network, self.normalisation, joints2d, camera, None, frames=self.frames
        )

    def lift_window(
        self,
        joints2d: Tensor,  # (B, frames, J, 2) px
        camera: Camera,  # parameters (B, 10)
    ) -> Tensor:  # (B, frames, J, 3) mm, camera frame, root exactly 0
        """Lift every frame of one window."""
        return lift_window(self.network, self.normalisation, joints2d, camera, None)

    def network(
        self,
        inputs: Tensor,  # (N, frames, J, inputs)
    ) -> Tensor:  # (N, frames, J, 3)
        """The encoder by itself."""
        x = self.embed(inputs) + self.joint_position
        for i, (joints, frames) in enumerate(zip(self.over_joints, self.over_frames, strict=True)):
            x = self.joint_norm(over_joints(joints, x))
            if i == 0:
                x = x + self.frame_position[:, :, None]
            x = self.frame_norm(over_frames(frames, x))
        outputs: Tensor = self.out(self.out_norm(x))
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
        """Mean and standard deviation of every input and output number."""
        self.normalisation.fit(batch)
