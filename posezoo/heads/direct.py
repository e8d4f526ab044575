"""3D joints straight from the picture: pool the features, one linear layer, millimetres.

The source report's first attempt ("only marginal improvements"), in the form that later work
compares against: the ResNet baseline of Sun et al. 2017, arXiv:1704.00159, with z-scored targets
and their absolute error. It starts near the mean pose. It sees no camera: a pose is right only for
crops and focal lengths like those that it was trained on.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from posezoo import losses
from posezoo.camera import Camera
from posezoo.contracts import Batch, FeatureSpec, PoseResult


class DirectHead(nn.Module):
    """Mean of the last feature map over the picture, then all coordinates at once."""

    output = "joints3d"
    mean: Tensor  # (J, 3) mm
    std: Tensor  # (J, 3) mm; 0 where a joint never moves, as the root

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        loss: Literal["l1", "l2", "mpjpe"] = "l1",
    ) -> None:
        super().__init__()
        self.loss_form = loss
        self.linear = nn.Linear(features[-1].channels, 3 * num_joints)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("mean", torch.zeros(num_joints, 3))
        self.register_buffer("std", torch.ones(num_joints, 3))
        self.std[0] = 0.0  # until the statistics say which joint is the root

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, 3) z-scores
        """Compute the coordinates in units of their spread around the mean pose."""
        x: Tensor = self.linear(features[-1].mean((-2, -1)))
        return x.unflatten(-1, (-1, 3))

    def encode(
        self,
        batch: Batch,  # single pictures, every joint labelled
    ) -> Tensor:  # (B, J, 3) z-scores
        """What a perfect network would give."""
        return (batch.joints3d[:, 0] - self.mean) / self.std.where(self.std > 0, 1.0)

    def loss(
        self,
        maps: Tensor,  # (B, J, 3) z-scores
        batch: Batch,  # single pictures; joints not labelled in 3D do not count
    ) -> Tensor:  # scalar; z-score units for "l1" and "l2", mm for "mpjpe"
        """The training loss that the head was built with."""
        labelled = batch.labelled3d[:, 0]
        if self.loss_form == "mpjpe":
            return losses.mean_distance(self._joints3d(maps), batch.joints3d[:, 0], labelled)
        compare = losses.squared_error if self.loss_form == "l2" else losses.absolute_error
        return compare(maps.float(), self.encode(batch), labelled)

    def decode(
        self,
        maps: Tensor,  # (B, J, 3) z-scores
        camera: Camera,  # parameters (B, 10); mm come from the statistics, not from it
    ) -> PoseResult:  # joints3d (B, 1, J, 3) mm, root exactly 0, and confidence (B, J)
        """Read the coordinates; the confidence is 1 throughout: the network states no doubt."""
        joints3d = self._joints3d(maps)
        return PoseResult(joints3d=joints3d[:, None], confidence=torch.ones_like(joints3d[..., 0]))

    @torch.no_grad()
    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take the mean pose and the spread around it."""
        joints3d = batch.joints3d.flatten(0, 1)
        self.mean.copy_(joints3d.mean(0))
        self.std.copy_(joints3d.std(0, correction=0))

    def _joints3d(self, maps: Tensor) -> Tensor:  # (B, J, 3) mm
        return maps.float() * self.std + self.mean
