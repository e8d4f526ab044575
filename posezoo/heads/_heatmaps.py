"""What Gaussian heatmaps mean: how they are made of joints, judged against them, and read.

Every head whose raw maps are heatmaps holds one codec; what differs between such heads is the
network. Targets are never rendered for training: the loss evaluates the Gaussian as it goes
(`posezoo.ops.heatmap_mse`). A network that is supervised at several depths puts its sets of maps
side by side, (B, S J, h, w): all count in the loss, and the last set is read. `fused_loss` is the
loss of the 1x1 convolution that makes the maps, from its input: then the maps are not stored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from posezoo import losses, ops
from posezoo.contracts import Batch
from posezoo.geometry import Grid, axes_affine, px_to_cells
from posezoo.heads._targets import targets
from posezoo.ops.decode import Refine
from posezoo.ops.gaussian_heatmaps import Centres, Support

Decoder = Literal["argmax", "quarter", "taylor", "dark", "udp", "soft"]
LossForm = Literal["mse", "integral"]

REPORT_PEAK = 255.0  # of the source report's maps, by which losses are made comparable
_REFINEMENTS: dict[str, Refine] = {
    "argmax": "none",
    "quarter": "quarter",
    "taylor": "taylor",
    "dark": "dark",
    "udp": "udp",
}


@dataclass(frozen=True, kw_only=True)
class HeatmapCodec:
    """Between joints in px and Gaussian maps of one stride."""

    stride: float  # image px per cell
    sigma_cells: float | None  # None: by `sigma_ratio`
    sigma_ratio: float = 12.8  # map height in cells / covariance in cells^2
    peak: float
    support: Support
    centres: Centres  # of the Gaussians: the nearest cell's, or the joint's own place
    decoder: Decoder
    inverse_temperature: float  # of the soft decoder, for maps of peak 1
    loss_form: LossForm
    sets: int = 1
    grid: Grid = "centred"  # where the cells lie in the picture

    @property
    def loss_scale(self) -> float:
        """What makes the loss of maps that say nothing about 250, see `posezoo.contracts.Head`."""
        return (REPORT_PEAK / self.peak) ** 2 if self.loss_form == "mse" else 10.0

    def encode(
        self,
        joints: Tensor,  # (B, J, 2) px
        size: tuple[int, int],  # h, w in cells
    ) -> Tensor:  # (B, S J, h, w)
        """The Gaussian maps that a perfect network would give."""
        cells = self._cells(joints, size)
        maps = ops.gaussian_heatmaps(cells, size, **self._gaussian(size[0]))
        return maps.repeat(1, self.sets, 1, 1)

    def loss(
        self,
        maps: Tensor,  # (B, S J, h, w)
        batch: Batch,  # single pictures
    ) -> Tensor:  # scalar: mean over cells, joints and sets ("mse"), or mean distance in cells
        """Squared error to the Gaussian targets, or distance of the soft-argmax from the joint.

        Joints that are off the map or not labelled do not count.
        """
        size = (maps.shape[-2], maps.shape[-1])
        cells, counts = targets(batch, self.stride, size, self.grid)
        counts, cells = counts.repeat(1, self.sets), cells.repeat(1, self.sets, 1)
        if self.loss_form == "mse":
            per_joint = ops.heatmap_mse(maps, cells, **self._gaussian(size[0]))
        else:
            per_joint = losses.distances(self._cells(self._soft(maps), size), cells)
        return losses.mean_of(per_joint, counts)

    def fused_loss(
        self,
        features: Tensor,  # (B, C, h, w), what the last layer reads
        layer: nn.Module,  # a 1x1 convolution to J maps
        batch: Batch,  # single pictures
    ) -> Tensor:  # scalar
        """`loss` of what the layer makes of the features, in one operation."""
        assert isinstance(layer, nn.Conv2d)
        size = (features.shape[-2], features.shape[-1])
        cells, counts = targets(batch, self.stride, size, self.grid)
        return ops.head_mse(
            features,
            layer.weight.flatten(1),
            layer.bias,
            cells,
            weight=counts / losses.number_of(counts),
            **self._gaussian(size[0]),
        )

    def decode(
        self,
        maps: Tensor,  # (B, S J, h, w)
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """Read the last set of maps by the decoder that was asked for.

        All decoders are exact to 0.5 cell or better on clean maps; "soft" is pulled inwards where
        a Gaussian is cut off by the border.
        """
        return self._read(self._last(maps))

    def decode_flipped(
        self,
        maps: Tensor,  # (B, S J, h, w)
        flipped: Tensor,  # (B, S J, h, w) of the mirrored picture
        mirror: tuple[int, ...],  # J: the joint that stands at place j in a mirror
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """`decode` of the mean of the maps and of the mirrored picture's, mirrored back."""
        maps, flipped = self._last(maps), self._last(flipped)
        order = torch.tensor(mirror, device=maps.device)
        if self.decoder != "soft":
            return self._read(maps, flipped, order)
        back = flipped[:, order].flip(-1)
        if self.grid == "corner":  # mirrored, cell 0 lies where cell 1 lay
            back = torch.cat([back[..., :1], back[..., :-1]], -1)
        return self._read((maps + back) / 2)

    def decode_soft(
        self,
        maps: Tensor,  # (B, S J, h, w)
    ) -> Tensor:  # (B, J, 2) px
        """Softmax-weighted mean of the cells; the gradient reaches every cell of the last set."""
        return self._soft(self._last(maps))

    def sigma(self, height: int) -> float:
        """Standard deviation of the Gaussians, in cells, on maps of that height."""
        return self.sigma_cells or math.sqrt(height / self.sigma_ratio)

    def _read(
        self, maps: Tensor, flipped: Tensor | None = None, order: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if self.decoder == "soft":
            return self._soft(maps), self._confidence(maps.flatten(-2).amax(-1).float())
        scale, offset = axes_affine(self.stride, (maps.shape[-2], maps.shape[-1]), self.grid)
        joints2d, score = ops.decode(
            maps,
            refine=_REFINEMENTS[self.decoder],
            scale=scale,
            offset=offset,
            flipped=flipped,
            flip_joints=order,
            flip_shift=self.grid == "corner",
        )
        return joints2d, self._confidence(score)

    def _soft(self, maps: Tensor) -> Tensor:
        scale, offset = axes_affine(self.stride, (maps.shape[-2], maps.shape[-1]), self.grid)
        return ops.soft_argmax(
            maps,
            inverse_temperature=self.inverse_temperature / self.peak,
            scale=scale,
            offset=offset,
        )

    def _gaussian(self, height: int) -> dict[str, Any]:
        return {
            "sigma_cells": self.sigma(height),
            "peak": self.peak,
            "support": self.support,
            "centres": self.centres,
        }

    def _cells(self, px: Tensor, size: tuple[int, int]) -> Tensor:
        return px_to_cells(px, self.stride, self.grid, size)

    def _last(self, maps: Tensor) -> Tensor:
        return maps[:, -(maps.shape[1] // self.sets) :]

    def _confidence(self, score: Tensor) -> Tensor:
        return (score / self.peak).clamp(0, 1)
