"""A small heatmap head: one deconvolution to twice the size, one Gaussian per joint.

The targets are Gaussians around the true position, not around the nearest cell. Joints are read
by argmax with a Taylor step, or by soft-argmax.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from posezoo import ops
from posezoo.contracts import Batch, FeatureSpec
from posezoo.geometry import cell_affine, px_to_cells
from posezoo.limits import Positive, Sigma, Width


class MyEntry(nn.Module):
    """One map per joint, from the last feature map of the backbone."""

    output = "joints2d"
    loss_scale = 65025.0  # 255^2: strategies weigh losses as if the peak were 255

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        width: Width = 64,
        sigma_cells: Sigma = 1.5,
        decode: Literal["taylor", "soft"] = "taylor",
        inverse_temperature: Positive = 25.0,  # of the soft decoder, for maps of peak 1
    ) -> None:
        super().__init__()
        self.stride = features[-1].stride / 2
        self.decoder, self.sigma_cells, self.inverse_temperature = (
            decode,
            sigma_cells,
            inverse_temperature,
        )
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(features[-1].channels, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, num_joints, 1),
        )

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, h, w) heatmaps, of height 1 where perfect
        """Compute the heatmaps."""
        maps: Tensor = self.layers(features[-1])
        return maps

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # h, w in cells
    ) -> Tensor:  # (B, J, h, w)
        """The maps that a perfect network would give."""
        cells = px_to_cells(joints, self.stride)
        return ops.gaussian_heatmaps(
            cells, size, sigma_cells=self.sigma_cells, peak=1.0, centres="unbiased"
        )

    def loss(
        self,
        maps: Tensor,  # (B, J, h, w)
        batch: Batch,  # single pictures
    ) -> Tensor:  # scalar: mean squared error over the cells of the joints that count
        """Squared error to the targets; joints off the map or not labelled do not count."""
        cells = px_to_cells(batch.joints2d[:, 0], self.stride)
        limit = torch.tensor(maps.shape[:-3:-1], device=cells.device)  # w, h
        on_map = ((cells >= -0.5) & (cells <= limit - 0.5)).all(-1)
        counts = on_map & batch.labelled2d[:, 0]
        per_joint = ops.heatmap_mse(
            maps, cells, sigma_cells=self.sigma_cells, peak=1.0, centres="unbiased"
        )
        return (per_joint * counts).sum() / counts.sum().clamp_min(1)

    def decode(
        self,
        maps: Tensor,  # (B, J, h, w)
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """Read the joints by the decoder that the head was built with."""
        scale, offset = cell_affine(self.stride)
        joints, score = ops.decode(maps, refine="taylor", scale=scale, offset=offset)
        if self.decoder == "soft":
            joints = self.decode_soft(maps)
        return joints, score.clamp(0, 1)

    def decode_soft(
        self,
        maps: Tensor,  # (B, J, h, w)
    ) -> Tensor:  # (B, J, 2) px
        """Softmax-weighted mean of the cells, pulled inwards where the border cuts a Gaussian."""
        scale, offset = cell_affine(self.stride)
        return ops.soft_argmax(
            maps, inverse_temperature=self.inverse_temperature, scale=scale, offset=offset
        )
