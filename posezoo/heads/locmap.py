"""Location maps: a heatmap says where a joint is seen, three maps beside it say where in space.

VNect, Mehta et al. 2017, "VNect: Real-time 3D Human Pose Estimation with a Single RGB Camera",
arXiv:1705.01583: for every joint a heatmap and maps of x, y and z relative to the pelvis, which are
read where the heatmap is greatest. The maps' error counts by the true heatmap, so that they need to
be right only where they are read. Deconvolutions as in Simple Baselines come first.
Differs from the paper: maps hold z-scores of mm, so that all joints count alike; no bone lengths
are fitted and nothing is filtered over time; its extra maps of bones are left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posezoo import ops
from posezoo.camera import Camera
from posezoo.contracts import Batch, FeatureSpec, PoseResult
from posezoo.heads._deconvolutions import Deconvolutions, Kernel, deconvolutions
from posezoo.heads._heatmaps import HeatmapCodec
from posezoo.heads._targets import map_size, targets
from posezoo.limits import NotNegative, Sigma, Width
from posezoo.losses import mean_of, mean_over_ranks


class LocationMapHead(nn.Module):
    """A heatmap and three location maps per joint, from the last feature map.

    Args:
        features: of the backbone.
        num_joints: of the pose.
        layers: deconvolutions, each to twice the size.
        width: their channels.
        kernel: their size in cells.
        sigma_cells: of the Gaussian targets.
        location_weight: of the location maps' error beside the heatmaps'.
    """

    output = "joints3d"
    mean: Tensor  # (J, 3) mm
    std: Tensor  # (J, 3) mm; 0 where a joint never moves, as the root

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        layers: Deconvolutions = 3,
        width: Width = 256,
        kernel: Kernel = 4,
        sigma_cells: Sigma = 2.0,
        location_weight: NotNegative = 1.0,
    ) -> None:
        super().__init__()
        source = features[-1]
        self.num_joints, self.location_weight = num_joints, location_weight
        self.codec = HeatmapCodec(
            stride=source.stride / 2**layers,
            sigma_cells=sigma_cells,
            peak=1.0,
            support="full",
            centres="unbiased",
            decoder="taylor",
            inverse_temperature=25.0,
            loss_form="mse",
        )
        self.layers = nn.Sequential(
            *deconvolutions(source.channels, layers, width, kernel),
            nn.Conv2d(width if layers else source.channels, 4 * num_joints, 1),
        )
        self.register_buffer("mean", torch.zeros(num_joints, 3))
        self.register_buffer("std", torch.ones(num_joints, 3))
        self.std[0] = 0.0  # until the statistics say which joint is the root

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, 4 J, h, w): J heatmaps, then x of all joints, y of all, z of all
        """Compute heatmaps and location maps."""
        maps: Tensor = self.layers(features[-1])
        return maps

    def encode(
        self,
        batch: Batch,  # single pictures, every joint labelled
    ) -> Tensor:  # (B, 4 J, h, w)
        """Gaussians, and the same place everywhere on each location map."""
        assert batch.image is not None
        height, width = (round(side / self.codec.stride) for side in batch.image.shape[-2:])
        heatmaps = self.codec.encode(batch.joints2d[:, 0], (height, width))
        places = self._scores(batch).transpose(1, 2).flatten(1)  # (B, 3 J)
        return torch.cat([heatmaps, places[..., None, None].expand(-1, -1, height, width)], 1)

    def loss(
        self,
        maps: Tensor,  # (B, 4 J, h, w)
        batch: Batch,  # single pictures; joints not labelled, or off the map, do not count
    ) -> Tensor:  # scalar
        """Squared error of the heatmaps by their energy, and of the places where they are read."""
        heatmaps, places = self._split(maps)
        size = map_size(maps)
        cells, seen = targets(batch, self.codec.stride, size)
        near = ops.gaussian_heatmaps(
            cells, size, sigma_cells=self.codec.sigma(size[0]), peak=1.0, centres="unbiased"
        )
        energy = near.square().mean((-2, -1)).clamp_min(1e-9)
        error = (places.float() - self._scores(batch)[..., None, None]).square().mean(2)
        error = (error * near).sum((-2, -1)) / near.sum((-2, -1)).clamp_min(1e-9)
        located = mean_of(error, seen & batch.labelled3d[:, 0])
        blind = mean_over_ranks(energy, seen).clamp_min(1e-9)
        return self.codec.loss(heatmaps, batch) / blind + self.location_weight * located

    def decode(
        self,
        maps: Tensor,  # (B, 4 J, h, w)
        camera: Camera,  # parameters (B, 10); mm come from the statistics, not from it
    ) -> PoseResult:
        """Read the location maps where the heatmaps are greatest."""
        heatmaps, places = self._split(maps)
        joints2d, confidence = self.codec.decode(heatmaps)
        width = maps.shape[-1]
        column, row = ops.decode(heatmaps)[0].round().long().unbind(-1)
        at = (row * width + column)[..., None, None].expand(-1, -1, 3, 1)
        scores = places.flatten(3).gather(-1, at)[..., 0].float()
        joints3d = scores * self.std + self.mean
        return PoseResult(
            joints2d=joints2d[:, None], joints3d=joints3d[:, None], confidence=confidence
        )

    @torch.no_grad()
    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take the mean pose and the spread around it."""
        joints3d = batch.joints3d.flatten(0, 1)
        self.mean.copy_(joints3d.mean(0))
        self.std.copy_(joints3d.std(0, correction=0))

    def _scores(self, batch: Batch) -> Tensor:  # (B, J, 3)
        return (batch.joints3d[:, 0] - self.mean) / self.std.where(self.std > 0, 1.0)

    def _split(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(B, J, h, w) heatmaps and (B, J, 3, h, w) places."""
        places = maps[:, self.num_joints :].unflatten(1, (3, self.num_joints)).transpose(1, 2)
        return maps[:, : self.num_joints], places
