"""Volumes of Gaussians, from coarse to fine along z, one for each stack of the backbone.

Pavlakos, Zhou, Derpanis and Daniilidis 2017, "Coarse-to-Fine Volumetric Prediction for
Single-Image 3D Human Pose", arXiv:1611.07828, on stacked hourglasses: the first stack's volume has
one cell along z, the next ones more, the last 64; each is held to a Gaussian around the joint by
its squared error. `hourglass:stacks=4-coarse_to_fine` is the paper's; on a backbone with one map
there is one volume. The last volume is read by its soft-argmax. How places become mm is
`posezoo.heads._volume`.
Differs from the paper: read by soft-argmax, not by the greatest cell; a stack hears of the one
before through its features, not through its volume.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from posezoo import ops
from posezoo.camera import Camera
from posezoo.contracts import Batch, FeatureSpec, PoseResult
from posezoo.heads._volume import Volume
from posezoo.limits import Depth, Length, Positive, Sigma
from posezoo.losses import mean_of
from posezoo.skeleton import Skeleton


class CoarseToFineHead(nn.Module):
    """A 1x1 convolution per feature map, to as many volumes as joints.

    Args:
        features: of the backbone, all of one stride.
        num_joints: volumes.
        skeleton: whose bones tell how far away a person is.
        depths: cells along z, the last feature map's last; as many as there are maps, or more.
        depth_mm: from the first face of the volume to the last; the root is in the middle.
        sigma_cells: of the Gaussians, along x, y and z.
        peak: their height.
        inverse_temperature: of the soft-argmax, for volumes of peak 1.
    """

    output = "joints3d"

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        skeleton: Skeleton,
        depths: Annotated[tuple[Depth, ...], Length(1, 16)] = (1, 2, 4, 64),
        depth_mm: Positive = 2000.0,
        sigma_cells: Sigma = 2.0,
        peak: Positive = 255.0,
        inverse_temperature: Positive = 20.0,
    ) -> None:
        super().__init__()
        strides = {source.stride for source in features}
        if len(strides) > 1 or len(features) > len(depths):
            raise ValueError(
                f"depths={'x'.join(map(str, depths))}: expected one for each feature map, all of "
                f"one stride; the backbone has {len(features)} of stride "
                f"{', '.join(map(str, sorted(strides)))}: take one of equal stacks (hourglass)"
            )
        self.depths = depths[-len(features) :]
        self.sigma_cells, self.peak = sigma_cells, peak
        self.inverse_temperature = inverse_temperature
        self.volume = Volume(
            skeleton=skeleton, stride=strides.pop(), depth=self.depths[-1], depth_mm=depth_mm
        )
        self.layers = nn.ModuleList(
            nn.Conv2d(source.channels, num_joints * depth, 1)
            for source, depth in zip(features, self.depths, strict=True)
        )
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.001)  # type: ignore[arg-type] # a convolution
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type] # that has one

    def forward(
        self,
        features: tuple[Tensor, ...],  # each (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, sum of depths, h, w): volumes behind each other, the finest last
        """Compute the volumes."""
        found = [
            layer(x).unflatten(1, (-1, depth))
            for layer, x, depth in zip(self.layers, features, self.depths, strict=True)
        ]
        return torch.cat(found, 2)

    def encode(
        self,
        batch: Batch,  # single pictures, every joint labelled
    ) -> Tensor:  # (B, J, sum of depths, h, w)
        """Gaussians around the true joints."""
        assert batch.image is not None
        size = tuple(round(side / self.volume.scale[0]) for side in batch.image.shape[-2:])
        places, _ = self.volume.targets(batch)
        volumes = [
            ops.gaussian_heatmaps(
                self._cells(places, depth),
                (depth, *size),
                sigma_cells=self.sigma_cells,
                peak=self.peak,
                centres="unbiased",
            )
            for depth in self.depths
        ]
        return torch.cat(volumes, 2)

    def loss(
        self,
        maps: Tensor,  # (B, J, sum of depths, h, w)
        batch: Batch,  # single pictures; joints not labelled, or out of the volume, do not count
    ) -> Tensor:  # scalar: mean over cells and joints, summed over volumes
        """Squared error to the Gaussians of every volume."""
        places, counts = self.volume.targets(batch)
        total = maps.new_zeros((), dtype=torch.float32)
        for volume, depth in zip(maps.split(self.depths, 2), self.depths, strict=True):
            per_joint = ops.heatmap_mse(
                volume,
                self._cells(places, depth),
                sigma_cells=self.sigma_cells,
                peak=self.peak,
            )
            total = total + mean_of(per_joint, counts[..., 2])
        return total

    def decode(
        self,
        maps: Tensor,  # (B, J, sum of depths, h, w)
        camera: Camera,  # parameters (B, 10)
    ) -> PoseResult:
        """The mean place in the finest volume, in mm; confidence is the height of its peak."""
        finest = maps[:, :, -self.depths[-1] :]
        places = ops.soft_argmax(
            finest,
            inverse_temperature=self.inverse_temperature / self.peak,
            scale=self.volume.scale,
            offset=self.volume.offset,
        )
        height = finest.flatten(2).amax(-1).float()
        return self.volume.pose(places, camera, (height / self.peak).clamp(0, 1))

    @torch.no_grad()
    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take how big people are."""
        self.volume.fit(batch.joints3d.flatten(0, 1))

    def _cells(self, places: Tensor, depth: int) -> Tensor:
        """(B, J, 3) px px mm in cells of a volume of that depth."""
        scale, offset = self.volume.scale, self.volume.offset
        cells = (places - places.new_tensor(offset)) / places.new_tensor(scale)
        share = depth / self.depths[-1]
        return torch.cat([cells[..., :2], (cells[..., 2:] + 0.5) * share - 0.5], -1)
