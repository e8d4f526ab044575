"""SimCC: x and y of a joint as two classifications, over bins finer than a pixel.

Li et al. 2022, "SimCC: a Simple Coordinate Classification Perspective for Human Pose Estimation",
arXiv:2107.03332: a map per joint, by deconvolutions and a 1x1 convolution, is flattened, and one
linear layer for all joints makes the logits of x, another those of y; the targets are Gaussians
along each axis. The size of the picture is part of the weights, so the head is made for one size.
The loss is the Kullback-Leibler divergence from the targets, x plus y.
Differs from the paper: targets sum to 1, and bins tile the picture (`grid=corner` puts bin i at
i / `bins_per_px`, as published networks have it).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from posezoo import ops
from posezoo.contracts import Batch, FeatureSpec
from posezoo.geometry import axes_affine, px_to_cells
from posezoo.heads._deconvolutions import Deconvolutions, Kernel, deconvolutions
from posezoo.heads._targets import targets
from posezoo.limits import Range, Side, Sigma, Width
from posezoo.losses import mean_of


class SimccHead(nn.Module):
    """Logits along x and along y for each joint, from the last feature map.

    Args:
        features: of the backbone.
        num_joints: pairs of classifications.
        image_size: height and width in px of the pictures; no others are taken.
        layers: deconvolutions, each to twice the size.
        width: their channels.
        kernel: their size in cells.
        bins_per_px: how fine x and y are.
        sigma_bins: of the Gaussian targets.
        grid: where the bins lie, see `posezoo.geometry.cell_affine`.
        decode: the likeliest bin, or the mean of the softmax.
    """

    output = "joints2d"
    loss_scale = 40.0  # flat logits: 3 nats each along x and y

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        image_size: tuple[Side, Side] = (256, 256),
        layers: Deconvolutions = 3,
        width: Width = 256,
        kernel: Kernel = 4,
        bins_per_px: Annotated[float, Range(0, 16, above=True)] = 2.0,
        sigma_bins: Sigma = 6.0,
        grid: Literal["centred", "corner"] = "centred",
        decode: Literal["argmax", "soft"] = "argmax",
    ) -> None:
        super().__init__()
        source = features[-1]
        if min(image_size) < source.stride:
            raise ValueError(f"image_size={image_size}: expected at least {source.stride} px")
        self.image_size, self.decoder = image_size, decode
        self.grid, self.sigma_bins = grid, sigma_bins
        self.stride = 1 / bins_per_px
        self.bins = (round(image_size[0] * bins_per_px), round(image_size[1] * bins_per_px))
        self.trunk = nn.Sequential(
            *deconvolutions(source.channels, layers, width, kernel),
            nn.Conv2d(width if layers else source.channels, num_joints, 1),
        )
        # Backbones round sides up where they do not divide.
        height, across = (math.ceil(side / source.stride) * 2**layers for side in image_size)
        self.cells = (height, across)
        self.along_x = nn.Linear(height * across, self.bins[1], bias=True)
        self.along_y = nn.Linear(height * across, self.bins[0], bias=True)

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, bins of x + bins of y) logits
        """Compute the logits.

        Raises:
            ValueError: the pictures have another size than the head is made for.
        """
        maps = self.trunk(features[-1])
        if tuple(maps.shape[-2:]) != self.cells:
            raise ValueError(
                f"simcc is made for pictures of {self.image_size[0]} x {self.image_size[1]} px, "
                f"and these give maps of {maps.shape[-2]} x {maps.shape[-1]} cells, expected "
                f"{self.cells[0]} x {self.cells[1]}: give the head image_size=HxW"
            )
        flat = maps.flatten(2)
        return torch.cat([self.along_x(flat), self.along_y(flat)], -1)

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # bins of y, bins of x
    ) -> Tensor:  # (B, J, bins of x + bins of y) logits
        """Logits of a Gaussian along each axis."""
        x, y = px_to_cells(joints, self.stride, self.grid, size)[..., None].unbind(-2)
        across = (torch.arange(size[1], device=joints.device) - x).square()
        down = (torch.arange(size[0], device=joints.device) - y).square()
        return torch.cat([across, down], -1) * (-0.5 / self.sigma_bins**2)

    def loss(
        self,
        maps: Tensor,  # (B, J, bins of x + bins of y) logits
        batch: Batch,  # single pictures; joints not labelled, or off the picture, do not count
    ) -> Tensor:  # scalar, nats
        """Divergence of the two classifications from their targets."""
        _, counts = targets(batch, self.stride, self.bins, self.grid)
        true = self.encode(batch.joints2d[:, 0], self.bins)
        divergence = torch.zeros_like(true[..., 0])
        for logits, target in zip(self._split(maps.float()), self._split(true), strict=True):
            log_p, log_q = logits.log_softmax(-1), target.log_softmax(-1)
            divergence = divergence + (log_q.exp() * (log_q - log_p)).sum(-1)
        # Off the picture a target may be anything, even NaN.
        return mean_of(divergence.where(counts, 0.0), counts)

    def decode(
        self,
        maps: Tensor,  # (B, J, bins of x + bins of y) logits
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """The likeliest bins, or the mean; confidence is the smaller of the two likelihoods."""
        logits = self._split(maps.float())
        best = [each.softmax(-1).max(-1) for each in logits]
        peak = 1 / (self.sigma_bins * math.sqrt(2 * math.pi))  # of a perfect one
        confidence = (torch.minimum(best[0].values, best[1].values) / peak).clamp(0, 1)
        if self.decoder == "soft":
            return self.decode_soft(maps), confidence
        scale, offset = axes_affine(self.stride, self.bins, self.grid)
        axes = [b.indices * s + o for b, s, o in zip(best, scale, offset, strict=True)]
        return torch.stack(axes, -1), confidence

    def decode_soft(
        self,
        maps: Tensor,  # (B, J, bins of x + bins of y) logits
    ) -> Tensor:  # (B, J, 2) px
        """The mean of each classification's softmax."""
        scale, offset = axes_affine(self.stride, self.bins, self.grid)
        means = [  # maps of one row
            ops.soft_argmax(logits[:, :, None], inverse_temperature=1.0, scale=s, offset=o)[..., 0]
            for logits, s, o in zip(self._split(maps), scale, offset, strict=True)
        ]
        return torch.stack(means, -1)

    def _split(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Along x, along y."""
        x, y = maps.split([self.bins[1], self.bins[0]], -1)
        return x, y
