"""Heatmaps by plain deconvolutions, each to twice the size.

Xiao, Wu and Wei 2018, "Simple Baselines for Human Pose Estimation and Tracking", arXiv:1804.06208,
meant for a ResNet to its last stage: `resnet50:cut=layer4-deconv`. Defaults are the paper's: three
layers 256 wide, Gaussians of 2 cells within 3 sigma, a quarter of a cell towards the greater
neighbour. `layers=0,supervise=all` on `hourglass` is the stacked hourglass's own 1x1 convolution
per stack, each supervised (arXiv:1603.06937). Differs from the paper: the squared error is not
halved; strategies scale it up by the targets' small peak (`loss_scale`).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from posezoo.contracts import Batch, FeatureSpec
from posezoo.heads._heatmaps import Centres, Decoder, HeatmapCodec, LossForm, Support


class DeconvHead(nn.Module):
    """One map per joint, from the last feature map or from each of them."""

    output = "joints2d"

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        layers: int = 3,
        width: int = 256,
        supervise: Literal["last", "all"] = "last",
        sigma_cells: float = 2.0,
        peak: float = 1.0,
        support: Support = "3sigma",
        centres: Centres = "quantised",
        decode: Decoder = "quarter",
        inverse_temperature: float = 25.0,  # of the soft decoder, for maps of peak 1
        loss: LossForm = "mse",
    ) -> None:
        super().__init__()
        sources = features if supervise == "all" else features[-1:]
        strides = {source.stride for source in sources}
        if layers < 0 or sigma_cells <= 0:
            raise ValueError(
                f"layers={layers}, sigma_cells={sigma_cells}: expected 0 or more and a number "
                "above 0"
            )
        if len(strides) > 1:
            raise ValueError(
                f"supervise=all: expected feature maps of one stride, got {sorted(strides)}; take "
                "a backbone of equal stacks such as hourglass, or supervise=last"
            )
        self.stride = strides.pop() / 2**layers
        self.branches = nn.ModuleList(
            _branch(source.channels, num_joints, layers, width) for source in sources
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
        )
        self.loss_scale = self.codec.loss_scale

    def forward(
        self,
        features: tuple[Tensor, ...],  # each (B, C, H / s, W / s); a branch for each of the last
    ) -> Tensor:  # (B, S J, h, w) heatmaps of S branches side by side; the last J are the answer
        """Compute the heatmaps."""
        sources = features[-len(self.branches) :]
        return torch.cat([b(x) for b, x in zip(self.branches, sources, strict=True)], 1)

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

    def decode_soft(
        self,
        maps: Tensor,  # (B, S J, h, w)
    ) -> Tensor:  # (B, J, 2) px
        """Softmax-weighted mean of the cells."""
        return self.codec.decode_soft(maps)


def _branch(channels: int, num_joints: int, layers: int, width: int) -> nn.Sequential:
    """Deconvolutions and the 1x1 convolution that makes the maps, small at the start."""
    chain: list[nn.Module] = []
    for _ in range(layers):
        deconvolution = nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1, bias=False)
        nn.init.normal_(deconvolution.weight, std=0.001)
        chain += [deconvolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    final = nn.Conv2d(channels, num_joints, 1)
    nn.init.normal_(final.weight, std=0.001)
    if final.bias is not None:
        nn.init.zeros_(final.bias)
    return nn.Sequential(*chain, final)
