"""Bones, not joints: a perceptron predicts the vector of each bone, and the skeleton adds them up.

After Sun et al. 2017, "Compositional Human Pose Regression", arXiv:1704.00159. A joint is the sum
of the bones between it and the root, so that an error of the hip moves the whole leg and is worth
mending first. The loss is the absolute error of the vectors between pairs of joints, in mm. Differs
from the paper: 2D joints go in (as rays), not a picture, and errors are not divided by their
deviation.
"""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import torch
from torch import Tensor, nn

from posezoo import losses
from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.normalisation import Normalisation
from posezoo.skeleton import Skeleton


class Bones(nn.Module):
    """Linear, residual blocks of (linear, batch norm, ReLU, dropout), linear to bones, their sums.

    Args:
        skeleton: the joints, and which is whose parent.
        width: of the hidden layers.
        blocks: how many residual blocks.
        dropout: share of the hidden units that a training step leaves out.
        pairs: whose vectors the loss compares: each joint and the root, the ends of each bone,
            both of these, or all pairs.
    """

    frames, future, takes_confidence = 1, 0, False
    bone_mean: Tensor  # (J - 1, 3) mm, parent to child, as seen along the root's ray
    bone_std: Tensor  # (J - 1, 3) mm
    path: Tensor  # (J, J - 1): 1 where the bone lies between the joint and the root
    first: Tensor  # (P,) the joints that the loss compares
    second: Tensor  # (P,)

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        width: int = 512,
        blocks: int = 2,
        dropout: float = 0.1,
        pairs: Literal["joints", "bones", "both", "all"] = "both",
    ) -> None:
        super().__init__()
        joints, bones = skeleton.num_joints, skeleton.bones
        self.normalisation = Normalisation(skeleton=skeleton, input="rays", loss="l1")
        self.stem = nn.Linear(self.normalisation.num_inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)
            )
            for _ in range(blocks)
        )
        self.out = nn.Linear(width, 3 * len(bones))
        self.parent_of = [parent for parent, _ in bones]
        self.child_of = [child for _, child in bones]
        compared = {
            "joints": [(skeleton.root, joint) for joint in self.child_of],
            "bones": [*bones],
            "all": [*combinations(range(joints), 2)],
        }
        compared["both"] = sorted({*compared["joints"], *compared["bones"]})
        first, second = zip(*compared[pairs], strict=True)
        self.register_buffer("first", torch.tensor(first), persistent=False)
        self.register_buffer("second", torch.tensor(second), persistent=False)
        self.register_buffer("path", torch.tensor(_paths(skeleton)), persistent=False)
        self.register_buffer("bone_mean", torch.zeros(len(bones), 3))
        self.register_buffer("bone_std", torch.ones(len(bones), 3))

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
    ) -> Tensor:  # (B, T, J, 3) mm, camera frame, root exactly 0
        """Lift each frame by itself."""
        inputs, to_camera = self.normalisation.inputs(joints2d, camera)
        x = self.stem(inputs.flatten(0, 1))
        for block in self.blocks:
            x = x + block(x)
        bones = self.out(x).view(*joints2d.shape[:2], -1, 3) * self.bone_std + self.bone_mean
        joints3d: Tensor = self.path @ bones @ to_camera
        return joints3d

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        batch: Batch,  # of the same frames
    ) -> Tensor:  # scalar, mm
        """Mean absolute error of the vectors between the compared joints, where both are known."""
        known = batch.labelled3d[..., self.first] & batch.labelled3d[..., self.second]
        return losses.absolute_error(self._between(predicted), self._between(batch.joints3d), known)

    @torch.no_grad()
    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Mean and standard deviation of every input number and of every bone's coordinates."""
        self.normalisation.fit(batch)
        _, to_camera = self.normalisation.inputs(batch.joints2d, batch.camera)
        turned = batch.joints3d @ to_camera.transpose(-1, -2)
        bones = (turned[..., self.child_of, :] - turned[..., self.parent_of, :]).flatten(0, 1)
        self.bone_mean.copy_(bones.mean(0))
        self.bone_std.copy_(bones.std(0).clamp_min(1e-3))

    def _between(self, joints3d: Tensor) -> Tensor:  # (B, T, J, 3) to (B, T, P, 3) mm
        return joints3d[..., self.second, :] - joints3d[..., self.first, :]


def _paths(skeleton: Skeleton) -> list[list[float]]:
    """For each joint, which bones lead to it from the root."""
    child_of = [child for _, child in skeleton.bones]
    paths = []
    for joint in range(skeleton.num_joints):
        passed, here = set(), joint
        while here >= 0:
            passed.add(here)
            here = skeleton.parents[here]
        paths.append([float(child in passed) for child in child_of])
    return paths
