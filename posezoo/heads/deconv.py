"""Heatmaps by plain deconvolutions, each to twice the size.

Xiao, Wu and Wei 2018, "Simple Baselines for Human Pose Estimation and Tracking", arXiv:1804.06208,
meant for a ResNet to its last stage: `resnet50:cut=layer4-deconv`. Defaults are the paper's: three
layers 256 wide, Gaussians of 2 cells within 3 sigma, a quarter of a cell towards the greater
neighbour. Others' decoders are settings of it:
`hrnet-deconv:layers=0` is HRNet's; `hourglass-deconv:layers=0,supervise=all` the stacked
hourglass's own 1x1 convolution per stack, each supervised (arXiv:1603.06937);
`vit-deconv:layers=2` ViTPose's classic decoder and `vit-deconv:layers=0,upsample=4,final_kernel=3`
its simple one (arXiv:2204.12484). Differs from the papers: the squared error is not halved;
strategies scale it up by the targets' small peak (`loss_scale`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from posezoo.contracts import Batch, FeatureSpec
from posezoo.geometry import Grid
from posezoo.heads._deconvolutions import Deconvolutions, Kernel, deconvolutions
from posezoo.heads._heatmaps import Centres, Decoder, HeatmapCodec, LossForm, Support
from posezoo.limits import Positive, Range, Sigma, Width


class DeconvHead(nn.Module):
    """One map per joint, from the last feature map or from each of them.

    Args:
        features: of the backbone.
        num_joints: maps of each branch.
        layers: deconvolutions, each to twice the size.
        width: their channels.
        kernel: their size in cells.
        upsample: before the last layer, times the size, bilinear and after a ReLU.
        final_kernel: size of the last convolution.
        supervise: the last feature map, or each of them by a branch of its own.
        sigma_cells: of the Gaussian targets.
        peak: their height.
        support: where they are cut off.
        centres: of the nearest cell, or of the joint's own place.
        grid: where the cells lie, see `posezoo.geometry.cell_affine`.
        decode: how joints are read.
        inverse_temperature: of the soft decoder, for maps of peak 1.
        loss: squared error to the Gaussians, or distance of the soft-argmax.
    """

    output = "joints2d"

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        layers: Deconvolutions = 3,
        width: Width = 256,
        kernel: Kernel = 4,
        upsample: Annotated[int, Range(1, 16)] = 1,
        final_kernel: Literal[1, 3] = 1,
        supervise: Literal["last", "all"] = "last",
        sigma_cells: Sigma = 2.0,
        peak: Positive = 1.0,
        support: Support = "3sigma",
        centres: Centres = "quantised",
        grid: Grid = "centred",
        decode: Decoder = "quarter",
        inverse_temperature: Positive = 25.0,
        loss: LossForm = "mse",
    ) -> None:
        super().__init__()
        sources = features if supervise == "all" else features[-1:]
        strides = {source.stride for source in sources}
        if len(strides) > 1:
            raise ValueError(
                f"supervise=all: expected feature maps of one stride, got {sorted(strides)}; take "
                "a backbone of equal stacks such as hourglass, or supervise=last"
            )
        self.stride = strides.pop() / (2**layers * upsample)
        self.branches = nn.ModuleList(
            nn.Sequential(
                *deconvolutions(source.channels, layers, width, kernel),
                *([nn.ReLU(), _bilinear(upsample)] if upsample > 1 else []),
                _last(width if layers else source.channels, num_joints, final_kernel),
            )
            for source in sources
        )
        self.decoder = decode
        self.codec = HeatmapCodec(
            stride=self.stride,
            sigma_cells=sigma_cells,
            peak=peak,
            support=support,
            centres=centres,
            decoder=decode,
            inverse_temperature=inverse_temperature,
            loss_form=loss,
            sets=len(sources),
            grid=grid,
        )
        self.loss_scale = self.codec.loss_scale

    def forward(
        self,
        features: tuple[Tensor, ...],  # each (B, C, H / s, W / s); a branch for each of the last
    ) -> Tensor:  # (B, S J, h, w) heatmaps of S branches side by side; the last J are the answer
        """Compute the heatmaps."""
        sources = features[-len(self.branches) :]
        return torch.cat([b(x) for b, x in zip(self.branches, sources, strict=True)], 1)

    def loss_of_features(
        self,
        features: tuple[Tensor, ...],  # each (B, C, H / s, W / s)
        batch: Batch,  # single pictures
    ) -> Tensor:  # scalar
        """`loss` of the features' maps, which are not stored where one 1x1 layer makes them."""
        branch: Any = self.branches[-1]  # a list of modules knows not that they are sequences
        several = len(self.branches) > 1
        if several or branch[-1].kernel_size != (1, 1) or self.codec.loss_form != "mse":
            return self.loss(self(features), batch)
        return self.codec.fused_loss(branch[:-1](features[-1]), branch[-1], batch)

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # h, w in cells
    ) -> Tensor:  # (B, S J, h, w)
        """The Gaussian maps that a perfect network would give."""
        return self.codec.encode(joints, size)

    def loss(
        self,
        maps: Tensor,  # (B, S J, h, w)
        batch: Batch,  # single pictures; joints not labelled, or off the map, do not count
    ) -> Tensor:  # scalar
        """The form of loss that the head was built with."""
        return self.codec.loss(maps, batch)

    def decode(
        self,
        maps: Tensor,  # (B, S J, h, w)
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """Read the joints by the decoder that the head was built with."""
        return self.codec.decode(maps)

    def decode_flipped(
        self,
        maps: Tensor,  # (B, S J, h, w)
        flipped: Tensor,  # (B, S J, h, w) of the mirrored picture
        mirror: tuple[int, ...],  # J: the joint that stands at place j in a mirror
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """`decode` of the mean of the maps and of the mirrored picture's, mirrored back."""
        return self.codec.decode_flipped(maps, flipped, mirror)

    def decode_soft(
        self,
        maps: Tensor,  # (B, S J, h, w)
    ) -> Tensor:  # (B, J, 2) px
        """Softmax-weighted mean of the cells."""
        return self.codec.decode_soft(maps)


def _bilinear(times: int) -> nn.Upsample:
    return nn.Upsample(scale_factor=times, mode="bilinear", align_corners=False)


def _last(channels: int, num_joints: int, kernel: int) -> nn.Conv2d:
    """The convolution that makes the maps, small at the start."""
    final = nn.Conv2d(channels, num_joints, kernel, padding=kernel // 2)
    nn.init.normal_(final.weight, std=0.001)
    if final.bias is not None:
        nn.init.zeros_(final.bias)
    return final
