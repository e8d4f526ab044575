"""3D joints through bones, trained by where every joint lies from every other.

Sun, Shang, Liang and Wei 2017, "Compositional Human Pose Regression", arXiv:1704.00159: the network
gives each joint's offset from its parent; sums along the skeleton make the pose. The loss is
compositional: the absolute error of the offset between any two joints, which is a signed sum of the
bones between them (`pairs`: all of them, the bones alone, or each joint and the root).
Differs from the paper: bones are z-scored by their spread in the training data; x and y are mm too,
not px, so the camera is not needed, and a pose is right only for crops and focal lengths like those
that it was trained on. The loss is in units of 100 mm.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import Batch, FeatureSpec, PoseResult
from posezoo.losses import mean_of
from posezoo.skeleton import Skeleton

_UNIT_MM = 100.0


class BoneHead(nn.Module):
    """Mean of the last feature map over the picture, then all bones at once.

    Args:
        features: of the backbone.
        num_joints: of the pose.
        skeleton: whose bones they are.
        pairs: the offsets that the loss compares.
    """

    output = "joints3d"
    mean: Tensor  # (J, 3) mm, of each joint's offset from its parent
    std: Tensor  # (J, 3) mm; 0 at the root
    path: Tensor  # (J, J): 1 where bone k lies between the root and joint j

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        skeleton: Skeleton,
        pairs: Literal["all", "bones", "root"] = "all",
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(features[-1].channels, 3 * num_joints)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("mean", torch.zeros(num_joints, 3))
        self.register_buffer("std", torch.full((num_joints, 3), _UNIT_MM))
        self.root, parents = skeleton.root, skeleton.parents
        self.std[self.root] = 0.0
        # The root is its own parent: its offset is 0.
        self.parents = [j if p < 0 else p for j, p in enumerate(parents)]
        self.register_buffer("path", torch.tensor(_paths(parents)), persistent=False)
        every = [(a, b) for b in range(num_joints) for a in range(b)]
        chosen = {
            "all": every,
            "bones": [*skeleton.bones],
            "root": [(self.root, j) for j in range(num_joints) if j != self.root],
        }[pairs]
        self.first, self.second = (list(side) for side in zip(*chosen, strict=True))

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, 3) z-scores of each joint's offset from its parent
        """Compute the bones."""
        x: Tensor = self.linear(features[-1].mean((-2, -1)))
        return x.unflatten(-1, (-1, 3))

    def encode(
        self,
        batch: Batch,  # single pictures, every joint labelled
    ) -> Tensor:  # (B, J, 3) z-scores
        """The bones of the true pose."""
        bones = self._bones(batch.joints3d[:, 0])
        return (bones - self.mean) / self.std.where(self.std > 0, 1.0)

    def loss(
        self,
        maps: Tensor,  # (B, J, 3) z-scores
        batch: Batch,  # single pictures; joints not labelled in 3D do not count
    ) -> Tensor:  # scalar, 100 mm
        """Mean absolute error of the offsets between the pairs of joints."""
        found, true = self._joints3d(maps), batch.joints3d[:, 0]
        labelled = batch.labelled3d[:, 0]
        error = (found - true)[:, self.second] - (found - true)[:, self.first]
        both = labelled[:, self.second] & labelled[:, self.first]
        return mean_of(error.abs().mean(-1).where(both, 0.0), both) / _UNIT_MM

    def decode(
        self,
        maps: Tensor,  # (B, J, 3) z-scores
        camera: Camera,  # parameters (B, 10); mm come from the statistics, not from it
    ) -> PoseResult:  # joints3d (B, 1, J, 3) mm, root exactly 0, and confidence (B, J)
        """Sum the bones; the confidence is 1 throughout: the network states no doubt."""
        joints3d = self._joints3d(maps)
        return PoseResult(joints3d=joints3d[:, None], confidence=torch.ones_like(joints3d[..., 0]))

    @torch.no_grad()
    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take the mean bones and the spread around them."""
        bones = self._bones(batch.joints3d.flatten(0, 1))
        self.mean.copy_(bones.mean(0))
        self.std.copy_(bones.std(0, correction=0))

    def _joints3d(self, maps: Tensor) -> Tensor:  # (B, J, 3) mm
        bones = maps.float() * self.std + self.mean
        return torch.einsum("jk,bkd->bjd", self.path, bones)

    def _bones(self, joints3d: Tensor) -> Tensor:  # (N, J, 3) mm
        return joints3d - joints3d[:, self.parents]


def _paths(parents: tuple[int, ...]) -> list[list[float]]:
    """Row j: 1 at every bone between the root and joint j, a bone being called as its child."""
    rows = []
    for joint in range(len(parents)):
        row, at = [0.0] * len(parents), joint
        while parents[at] >= 0:
            row[at], at = 1.0, parents[at]
        rows.append(row)
    return rows
