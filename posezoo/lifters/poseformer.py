"""Transformers over the joints of each frame, then over frames, to the 3D joints of the middle one.

Zheng et al. 2021, "3D human pose estimation with spatial and temporal transformers" (PoseFormer),
arXiv:2103.10455. The joints of a frame become tokens, a frame's tokens together one token of the
second transformer, and a learned weighted mean over frames the pose. Differs from the paper:
z-scores in and out (`input="screen"`: as published).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.lifters._blocks import attention_block, drop_path_shares, over_joints
from posezoo.lifters._windows import lift_centres
from posezoo.limits import Dropout, Frames, Heads, Layers, Ratio, Width
from posezoo.normalisation import InputForm, LossForm, Normalisation
from posezoo.skeleton import Skeleton


class PoseFormer(nn.Module):
    """Blocks over joints, blocks over frames, a weighted mean of the frames, a linear layer.

    Args:
        skeleton: the joints.
        frames: how many frames a prediction sees; the middle one is predicted.
        width: channels of a joint; a frame has as many for each of its joints.
        depth: blocks of either transformer.
        heads: of every attention.
        mlp_ratio: hidden units of a block's perceptron, per channel.
        drop_path: share of branches left out while training, in the last block.
        input: "px", "rays" with the intrinsics taken out, or "screen" as published.
        loss: on z-scores ("l2", "l1") or in mm ("mpjpe").
        zero_init: an output layer of zeros, which predicts the mean pose.
    """

    takes_confidence = False

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        frames: Frames = 81,
        width: Width = 32,
        depth: Layers = 4,
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
        num_joints, both = skeleton.num_joints, skeleton.num_joints * width

        def blocks(channels: int) -> nn.Sequential:
            return nn.Sequential(
                *(
                    attention_block(channels, heads=heads, mlp_ratio=mlp_ratio, drop_path=share)
                    for share in drop_path_shares(drop_path, depth)
                )
            )

        self.embed = nn.Linear(self.normalisation.inputs_by_joint, width)
        self.joint_position = nn.Parameter(torch.zeros(1, num_joints, width))
        self.frame_position = nn.Parameter(torch.zeros(1, frames, both))
        self.over_joints, self.joint_norm = blocks(width), nn.LayerNorm(width, 1e-6)
        self.over_frames, self.frame_norm = blocks(both), nn.LayerNorm(both, 1e-6)
        self.mean = nn.Linear(frames, 1)
        self.out_norm = nn.LayerNorm(both)
        self.out = nn.Linear(both, self.normalisation.num_outputs)
        if zero_init:  # a random output layer first has to unlearn its random pose
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, T >= frames
        camera: Camera,  # parameters (B, 10)
    ) -> Tensor:  # (B, T - frames + 1, J, 3) mm, camera frame, root exactly 0
        """Lift every frame that has its whole context in the clip."""
        return lift_centres(
            self.network, self.normalisation, joints2d, camera, None, frames=self.frames
        )

    def network(
        self,
        inputs: Tensor,  # (N, frames, J, inputs)
    ) -> Tensor:  # (N, 1, J, 3)
        """The transformers by themselves."""
        x = self.embed(inputs) + self.joint_position
        x = self.joint_norm(over_joints(self.over_joints, x)).flatten(2)
        x = self.frame_norm(self.over_frames(x + self.frame_position))
        x = self.mean(x.transpose(1, 2)).transpose(1, 2)
        outputs: Tensor = self.out(self.out_norm(x))
        return outputs.unflatten(-1, (-1, 3))

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
