"""3D joints as the mean place in a volume of logits around the person (3D soft-argmax).

Sun, Xiao, Wei, Liang and Wei 2018, "Integral Human Pose Regression", arXiv:1711.08229:
deconvolutions, a 1x1 convolution to `depth` maps for each joint, the mean of its softmax over x, y
and z, and its absolute error. The volumes are never stored: the last layer and the mean are one
operation (`posezoo.ops.integral_head`), so the raw maps are the joints' places. Pictures that are
labelled in 2D only teach x and y. How places become mm is `posezoo.heads._volume`.
Differs from the paper: the error is in cells; z is 64 cells over 2 m; the network's own estimate of
the root's depth is replaced by one from people's size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posezoo import ops
from posezoo.camera import Camera
from posezoo.contracts import Batch, FeatureSpec, PoseResult
from posezoo.geometry import Grid
from posezoo.heads._deconvolutions import Deconvolutions, Kernel, deconvolutions
from posezoo.heads._volume import Volume
from posezoo.limits import Depth, Positive, Width
from posezoo.losses import mean_of
from posezoo.skeleton import Skeleton


class VolumetricHead(nn.Module):
    """One volume per joint, of which only the mean place is computed.

    Args:
        features: of the backbone.
        num_joints: volumes.
        skeleton: whose bones tell how far away a person is.
        depth: cells along z.
        depth_mm: from the first face of the volume to the last; the root is in the middle.
        layers: deconvolutions, each to twice the size.
        width: their channels.
        kernel: their size in cells.
        grid: where the cells lie, see `posezoo.geometry.cell_affine`.
    """

    output = "joints3d"

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        skeleton: Skeleton,
        depth: Depth = 64,
        depth_mm: Positive = 2000.0,
        layers: Deconvolutions = 3,
        width: Width = 256,
        kernel: Kernel = 4,
        grid: Grid = "centred",
    ) -> None:
        super().__init__()
        source = features[-1]
        self.depth = depth
        stride = source.stride / 2**layers
        self.volume = Volume(
            skeleton=skeleton, stride=stride, depth=depth, depth_mm=depth_mm, grid=grid
        )
        self.trunk = nn.Sequential(*deconvolutions(source.channels, layers, width, kernel))
        self.final = nn.Conv2d(width if layers else source.channels, num_joints * depth, 1)
        nn.init.normal_(self.final.weight, std=0.001)
        nn.init.zeros_(self.final.bias)  # type: ignore[arg-type] # it has one

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, 3) x and y in px, z in mm from the middle of the volume
        """Compute the joints' mean places."""
        return ops.integral_head(
            self.trunk(features[-1]),
            self.final.weight.flatten(1),
            self.final.bias,
            depth=self.depth,
            inverse_temperature=1.0,
            scale=self.volume.scale,
            offset=self.volume.offset,
        )

    def volumes(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, d, h, w) logits
        """The volumes themselves, to look at."""
        maps: Tensor = self.final(self.trunk(features[-1]))
        return maps.unflatten(1, (-1, self.depth))

    def encode(
        self,
        batch: Batch,  # single pictures, every joint labelled
    ) -> Tensor:  # (B, J, 3) px px mm
        """The places of the true joints."""
        return self.volume.targets(batch)[0]

    def loss(
        self,
        maps: Tensor,  # (B, J, 3) px px mm
        batch: Batch,  # single pictures; joints not labelled, or out of the volume, do not count
    ) -> Tensor:  # scalar, cells
        """Mean absolute error along x, y and z."""
        true, counts = self.volume.targets(batch)
        error = (maps.float() - true).abs() / maps.new_tensor(self.volume.scale)
        return mean_of(error, counts)

    def decode(
        self,
        maps: Tensor,  # (B, J, 3) px px mm
        camera: Camera,  # parameters (B, 10)
    ) -> PoseResult:
        """The pose in mm; the confidence is 1 throughout: a mean says not how sure it is."""
        return self.volume.pose(maps.float(), camera, torch.ones_like(maps[..., 0]))

    @torch.no_grad()
    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take how big people are."""
        self.volume.fit(batch.joints3d.flatten(0, 1))
