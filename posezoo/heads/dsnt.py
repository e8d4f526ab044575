"""DSNT: joints as the mean place under a heatmap whose shape is held to a small Gaussian.

Nibali, He, Morgan and Prendergast 2018, "Numerical Coordinate Regression with Convolutional Neural
Networks", arXiv:1801.07372: a 1x1 convolution on the backbone's map, the softmax's mean, and a loss
of two parts, its distance from the joint and the Jensen-Shannon divergence of the heatmap from a
Gaussian of one cell. One operation computes both (`posezoo.ops.dsnt_loss`). The distance is in half
sides of the map, as in the paper. Differs from the paper: `layers` deconvolutions may come first
(none there: it dilates the ResNet to stride 8 or 4 instead; three here, as a stride of 4 costs less
so), and cells lie as everywhere in this package.
"""

from __future__ import annotations

from torch import Tensor, nn

from posezoo import ops
from posezoo.contracts import Batch, FeatureSpec
from posezoo.heads._deconvolutions import Deconvolutions, Kernel, deconvolutions
from posezoo.heads._logits import LogitCodec
from posezoo.heads._targets import map_size, targets
from posezoo.limits import NotNegative, Sigma, Width
from posezoo.losses import mean_of
from posezoo.ops.dsnt_loss import Distance, Regulariser


class DsntHead(nn.Module):
    """One map of logits per joint, from the last feature map.

    Args:
        features: of the backbone.
        num_joints: maps.
        layers: deconvolutions, each to twice the size.
        width: their channels.
        kernel: their size in cells.
        sigma_cells: of the Gaussian that the softmax is held to.
        regulariser: by which divergence.
        strength: of the regulariser beside the distance.
        distance: Euclidean, or the sum of the axes'.
    """

    output = "joints2d"
    decoder = "soft"
    loss_scale = 250.0  # 0.5 of distance and 0.6 of divergence, for a flat map

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        layers: Deconvolutions = 3,
        width: Width = 256,
        kernel: Kernel = 4,
        sigma_cells: Sigma = 1.0,
        regulariser: Regulariser = "js",
        strength: NotNegative = 1.0,
        distance: Distance = "euclidean",
    ) -> None:
        super().__init__()
        source = features[-1]
        self.stride = source.stride / 2**layers
        self.regulariser, self.strength, self.distance = regulariser, strength, distance
        self.layers = nn.Sequential(
            *deconvolutions(source.channels, layers, width, kernel),
            nn.Conv2d(width if layers else source.channels, num_joints, 1),
        )
        self.codec = LogitCodec(stride=self.stride, sigma_cells=sigma_cells)

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, h, w) logits
        """Compute the logits."""
        maps: Tensor = self.layers(features[-1])
        return maps

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # h, w in cells
    ) -> Tensor:  # (B, J, h, w) logits
        """Logits of the Gaussian at each joint."""
        return self.codec.encode(joints, size)

    def loss(
        self,
        maps: Tensor,  # (B, J, h, w) logits
        batch: Batch,  # single pictures; joints not labelled, or off the map, do not count
    ) -> Tensor:  # scalar, half sides of the map and nats
        """Distance of the mean place, and divergence of the softmax."""
        height, width = size = map_size(maps)
        cells, counts = targets(batch, self.stride, size)
        per_joint = ops.dsnt_loss(
            maps,
            cells,
            sigma_cells=self.codec.sigma_cells,
            distance=self.distance,
            regulariser=self.regulariser,
            strength=self.strength,
            scale=[2 / width, 2 / height],
        )
        return mean_of(per_joint, counts)

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
