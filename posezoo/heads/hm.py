"""Heatmaps by one deconvolution: Blocks B to E of the source report.

After VNect (Mehta et al. 2017, arXiv:1705.01583). B is a bottleneck with a projection, C three
convolutions that keep the size, D the deconvolution(s), E the maps. The defaults are the report's:
one deconvolution of kernel 4 and stride 4, no batch norm in B to E, targets with their peak of 255
at the nearest cell and a covariance of (map height / 12.8) cells^2, read by argmax. The report
gives no channel widths for D: 128 here. Targets, loss and decoders are `posezoo.heads._heatmaps`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from posezoo.contracts import Batch, FeatureSpec
from posezoo.heads._heatmaps import Centres, Decoder, HeatmapCodec, LossForm, Support
from posezoo.limits import Length, Positive, Range, Sigma, Width

BatchNorm = Literal["none", "layer", "block"]


class HeatmapHead(nn.Module):
    """One map per joint, from the last feature map of the backbone.

    Args:
        features: what the backbone gives; the last one is read.
        num_joints: how many maps.
        block_b: whether there is a Block B.
        batch_norm: in Blocks B to E: after no layer, each layer, or each block.
        kernel: of the deconvolutions.
        strides: of the deconvolutions, one layer each; their product divides the stride.
        width: channels of Block D.
        sigma_ratio: of the targets, as map height in cells over the covariance in cells^2; 12.8
            if neither this nor another sigma is given.
        sigma_cells: standard deviation of the targets in cells instead.
        sigma_px: or in px of the picture.
        peak: greatest value of a target.
        support: of the targets: the whole map, or each axis cut off at 3 sigma.
        centres: of the targets: the joint itself, or the middle of its cell.
        decode: how maps are read (`posezoo.heads._heatmaps`).
        inverse_temperature: of the soft decoder, for maps of peak 1.
        loss: squared error of the maps, or distance of what the soft decoder reads.

    Raises:
        ValueError: more than one sigma, or one that is not above 0; a kernel and stride that
            cannot give the exact size.
    """

    output = "joints2d"

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        block_b: bool = True,
        batch_norm: BatchNorm = "none",
        kernel: Literal[3, 4, 6] = 4,
        strides: Annotated[tuple[Annotated[int, Range(1, 16)], ...], Length(1, 4)] = (4,),
        width: Width = 128,
        sigma_ratio: Positive | None = None,  # map height in cells / covariance; 12.8
        sigma_cells: Sigma | None = None,
        sigma_px: Positive | None = None,
        peak: Positive = 255.0,
        support: Support = "full",
        centres: Centres = "quantised",
        decode: Decoder = "argmax",
        inverse_temperature: Positive = 25.0,  # of the soft decoder, for maps of peak 1
        loss: LossForm = "mse",
    ) -> None:
        super().__init__()
        given = [s for s in (sigma_ratio, sigma_cells, sigma_px) if s is not None]
        if len(given) > 1:
            raise ValueError(
                f"sigma_ratio={sigma_ratio}, sigma_cells={sigma_cells}, sigma_px={sigma_px}: "
                "give one of them"
            )
        source = features[-1]
        self.stride = source.stride / math.prod(strides)
        self.decoder = decode
        self.codec = HeatmapCodec(
            stride=self.stride,
            sigma_cells=sigma_cells if sigma_px is None else sigma_px / self.stride,
            sigma_ratio=sigma_ratio or 12.8,
            peak=peak,
            support=support,
            centres=centres,
            decoder=decode,
            inverse_temperature=inverse_temperature,
            loss_form=loss,
        )
        self.loss_scale = self.codec.loss_scale

        c = source.channels
        self.block_b = BlockB(c, batch_norm) if block_b else nn.Identity()
        self.block_c = _chain(
            batch_norm, nn.Conv2d(c, 256, 1), _conv3(256, 128), nn.Conv2d(128, 256, 1)
        )
        widths = (256, *(width for _ in strides))
        self.block_d = _chain(
            batch_norm,
            *(_deconv(widths[i], width, kernel, stride) for i, stride in enumerate(strides)),
        )
        self.block_e = nn.Sequential(
            _chain(batch_norm, _conv3(width, 128)), nn.Conv2d(128, num_joints, 1)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                _variance_scaling(module)

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, J, h, w) heatmaps, of height `peak` where perfect
        """Compute the heatmaps."""
        maps: Tensor = self.block_e[-1](self._trunk(features))
        return maps

    def loss_of_features(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
        batch: Batch,  # single pictures
    ) -> Tensor:  # scalar
        """`loss` of the features' maps, which are not stored for it."""
        if self.codec.loss_form != "mse":
            return self.loss(self(features), batch)
        return self.codec.fused_loss(self._trunk(features), self.block_e[-1], batch)

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # h, w in cells
    ) -> Tensor:  # (B, J, h, w)
        """The Gaussian maps that a perfect network would give."""
        return self.codec.encode(joints, size)

    def loss(
        self,
        maps: Tensor,  # (B, J, h, w)
        batch: Batch,  # single pictures; joints not labelled, or off the map, do not count
    ) -> Tensor:  # scalar
        """The form of loss that the head was built with."""
        return self.codec.loss(maps, batch)

    def decode(
        self,
        maps: Tensor,  # (B, J, h, w)
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """Read the joints by the decoder that the head was built with."""
        return self.codec.decode(maps)

    def decode_flipped(
        self,
        maps: Tensor,  # (B, J, h, w)
        flipped: Tensor,  # (B, J, h, w) of the mirrored picture
        mirror: tuple[int, ...],  # J: the joint that stands at place j in a mirror
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """`decode` of the mean of the maps and of the mirrored picture's, mirrored back."""
        return self.codec.decode_flipped(maps, flipped, mirror)

    def decode_soft(
        self,
        maps: Tensor,  # (B, J, h, w)
    ) -> Tensor:  # (B, J, 2) px
        """Softmax-weighted mean of the cells."""
        return self.codec.decode_soft(maps)

    def _trunk(self, features: tuple[Tensor, ...]) -> Tensor:  # (B, 128, h, w)
        """All but the last layer."""
        x = self.block_b(features[-1])
        x = self.block_c(x)
        x = self.block_d(x)
        inner: Tensor = self.block_e[:-1](x)
        return inner


class BlockB(nn.Module):
    """A bottleneck like ResNet's, with a projection as its shortcut; keeps channels and size."""

    def __init__(self, channels: int, batch_norm: BatchNorm) -> None:
        super().__init__()
        half = channels // 2
        self.main = nn.Sequential(
            _chain(
                "layer" if batch_norm == "layer" else "none",
                nn.Conv2d(channels, half, 1),
                _conv3(half, half),
            ),
            nn.Conv2d(half, channels, 1),
        )
        self.projection = nn.Conv2d(channels, channels, 1)
        self.norm = nn.Identity() if batch_norm == "none" else nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return torch.relu(self.norm(self.main(x) + self.projection(x)))


def _chain(batch_norm: BatchNorm, *layers: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """Layers with a ReLU each, and batch norm after each ("layer") or after the last ("block")."""
    chain: list[nn.Module] = []
    for i, layer in enumerate(layers):
        chain.append(layer)
        if batch_norm == "layer" or (batch_norm == "block" and i == len(layers) - 1):
            chain.append(nn.BatchNorm2d(layer.out_channels))
        chain.append(nn.ReLU(inplace=True))
    return nn.Sequential(*chain)


def _conv3(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)


def _deconv(channels: int, out: int, kernel: int, stride: int) -> nn.ConvTranspose2d:
    """Exactly `stride` times the size. A kernel below the stride leaves cells that see nothing."""
    padding = max(0, math.ceil((kernel - stride) / 2))
    extra = 2 * padding - (kernel - stride)
    if not 0 <= extra < stride:
        raise ValueError(f"kernel={kernel} cannot give exactly {stride} times the size; take 3")
    return nn.ConvTranspose2d(channels, out, kernel, stride, padding, output_padding=extra)


def _variance_scaling(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Variance 2 / fan-in, truncated at two sigma.

    A deconvolution's cell sees only kernel^2 / stride^2 of the kernel's taps, so its fan-in is
    that share: counting all taps, as common initialisers do, shrinks the signal by the stride.
    """
    taps = layer.weight[0, 0].numel()
    if isinstance(layer, nn.ConvTranspose2d):
        taps = max(1, taps // math.prod(layer.stride))
    std = math.sqrt(2 / (layer.in_channels * taps))
    nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
