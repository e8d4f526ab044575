"""Maps of logits whose softmax is where the joint may be: what they mean, and how they are read.

The softmax is under an inverse temperature of 1. What perfect maps would be is a matter of
convention, since the loss of a mean does not see the shape: a Gaussian of `sigma_cells` here. How
far the softmax spreads beyond it is how unsure the network is (`posezoo.ops.moments`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from posezoo import ops
from posezoo.geometry import Grid, axes_affine, px_to_cells
from posezoo.heads._targets import map_size


@dataclass(frozen=True, kw_only=True)
class LogitCodec:
    """Between joints in px and logits of one stride."""

    stride: float  # image px per cell
    sigma_cells: float
    grid: Grid = "centred"

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # h, w in cells
    ) -> Tensor:  # (B, J, h, w) logits of a Gaussian
        """The maps that a perfect network would give."""
        x, y = px_to_cells(joints, self.stride, self.grid, size)[..., None].unbind(-2)
        across = (torch.arange(size[1], device=joints.device) - x).square()
        down = (torch.arange(size[0], device=joints.device) - y).square()
        return (down[..., :, None] + across[..., None, :]) * (-0.5 / self.sigma_cells**2)

    def decode(
        self,
        maps: Tensor,  # (B, J, h, w) logits
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """The mean, and the share of its variance that a Gaussian of `sigma_cells` has."""
        scale, offset = axes_affine(self.stride, map_size(maps), self.grid)
        found = ops.moments(maps, inverse_temperature=1.0, scale=scale, offset=offset)
        usual = self.sigma_cells**2 * (scale[0] ** 2 + scale[1] ** 2)
        variance = found.covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
        return found.mean, (usual / variance.clamp_min(1e-6)).clamp(0, 1)

    def decode_soft(
        self,
        maps: Tensor,  # (B, J, h, w) logits
    ) -> Tensor:  # (B, J, 2) px
        """The mean; the gradient reaches every cell."""
        scale, offset = axes_affine(self.stride, map_size(maps), self.grid)
        return ops.soft_argmax(maps, inverse_temperature=1.0, scale=scale, offset=offset)

    def heatmaps(
        self,
        maps: Tensor,  # (B, J, h, w) logits
    ) -> Tensor:  # (B, J, h, w) likelihoods, 1 at the peak of a Gaussian of `sigma_cells`
        """What to draw of the logits."""
        share = maps.flatten(2).softmax(-1).view_as(maps)
        return share * (2 * math.pi * self.sigma_cells**2)
