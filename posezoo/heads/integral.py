"""Joints as the mean place under a heatmap, trained by their own error (soft-argmax).

Sun, Xiao, Wei, Liang and Wei 2018, "Integral Human Pose Regression", arXiv:1711.08229, in two
dimensions: deconvolutions as in Simple Baselines, one map of logits per joint, the mean of its
softmax, and the absolute error of that. What shape the maps take is the network's own affair.
Differs from the paper: cells lie half a cell further in, as everywhere here (`grid=corner` is the
paper's), and the error is in cells. Where nobody else wants the maps they are not stored
(`posezoo.ops.integral_head` with one cell of depth).
"""

from __future__ import annotations

from torch import Tensor, nn

from posezoo import ops
from posezoo.contracts import Batch, FeatureSpec
from posezoo.geometry import Grid
from posezoo.heads._deconvolutions import Deconvolutions, Kernel, deconvolutions
from posezoo.heads._logits import LogitCodec
from posezoo.heads._targets import map_size, targets
from posezoo.limits import Sigma, Width
from posezoo.losses import mean_of


class IntegralHead(nn.Module):
    """One map of logits per joint, from the last feature map.

    Args:
        features: of the backbone.
        num_joints: maps.
        layers: deconvolutions, each to twice the size.
        width: their channels.
        kernel: their size in cells.
        sigma_cells: spread of the softmax of a sure network, for the confidence.
        grid: where the cells lie, see `posezoo.geometry.cell_affine`.
    """

    output = "joints2d"
    decoder = "soft"
    loss_scale = 16.0  # the middle of 64 cells is about 16 off, in x and y

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        layers: Deconvolutions = 3,
        width: Width = 256,
        kernel: Kernel = 4,
        sigma_cells: Sigma = 2.0,
        grid: Grid = "centred",
    ) -> None:
        super().__init__()
        source = features[-1]
        self.stride = source.stride / 2**layers
        self.trunk = nn.Sequential(*deconvolutions(source.channels, layers, width, kernel))
        self.final = nn.Conv2d(width if layers else source.channels, num_joints, 1)
        nn.init.normal_(self.final.weight, std=0.001)
        nn.init.zeros_(self.final.bias)  # type: ignore[arg-type] # it has one
        self.codec = LogitCodec(stride=self.stride, sigma_cells=sigma_cells, grid=grid)

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, h, w) logits
        """Compute the logits."""
        maps: Tensor = self.final(self.trunk(features[-1]))
        return maps

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # h, w in cells
    ) -> Tensor:  # (B, J, h, w) logits
        """Logits of a Gaussian at each joint."""
        return self.codec.encode(joints, size)

    def loss(
        self,
        maps: Tensor,  # (B, J, h, w) logits
        batch: Batch,  # single pictures; joints not labelled, or off the map, do not count
    ) -> Tensor:  # scalar, cells
        """Mean absolute error of x and y of the mean place."""
        return self._error(ops.soft_argmax(maps, inverse_temperature=1.0), batch, map_size(maps))

    def loss_of_features(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
        batch: Batch,  # single pictures
    ) -> Tensor:  # scalar, cells
        """`loss` of the features' maps, which are not stored for it."""
        x = self.trunk(features[-1])
        filters, bias = self.final.weight.flatten(1), self.final.bias
        found = ops.integral_head(x, filters, bias, depth=1, inverse_temperature=1.0)
        return self._error(found[..., :2], batch, map_size(x))

    def decode(
        self,
        maps: Tensor,  # (B, J, h, w) logits
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """The mean place, and how little the softmax spreads around it."""
        return self.codec.decode(maps)

    def decode_soft(
        self,
        maps: Tensor,  # (B, J, h, w) logits
    ) -> Tensor:  # (B, J, 2) px
        """The mean place."""
        return self.codec.decode_soft(maps)

    def heatmaps(
        self,
        maps: Tensor,  # (B, J, h, w) logits
    ) -> Tensor:  # (B, J, h, w) likelihoods, about 1 at the peak of a sure one
        """What to draw of the logits."""
        return self.codec.heatmaps(maps)

    def _error(self, cells: Tensor, batch: Batch, size: tuple[int, int]) -> Tensor:
        true, counts = targets(batch, self.stride, size, self.codec.grid)
        return mean_of((cells - true).abs().mean(-1), counts)
