"""What Gaussian heatmaps mean: how they are made of joints, judged against them, and read.

Every head whose raw maps are heatmaps holds one codec; what differs between such heads is the
network. Targets are never rendered for training: the loss evaluates the Gaussian as it goes
(`posezoo.ops.heatmap_mse`). A network that is supervised at several depths puts its sets of maps
side by side, (B, S J, h, w): all count in the loss, and the last set is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from posezoo import losses, ops
from posezoo.contracts import Batch
from posezoo.geometry import cell_affine, px_to_cells
from posezoo.ops.decode import Refine

Support = Literal["full", "3sigma"]
Centres = Literal["quantised", "unbiased"]
Decoder = Literal["argmax", "quarter", "taylor", "soft"]
LossForm = Literal["mse", "integral"]

REPORT_PEAK = 255.0  # of the source report's maps, by which losses are made comparable
_REFINEMENTS: dict[str, Refine] = {"argmax": "none", "quarter": "quarter", "taylor": "taylor"}


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
        maps = ops.gaussian_heatmaps(
            px_to_cells(joints, self.stride),
            size,
            sigma_cells=self.sigma(size[0]),
            peak=self.peak,
            support=self.support,
            centres=self.centres,
        )
        return maps.repeat(1, self.sets, 1, 1)

    def loss(
        self,
        maps: Tensor,  # (B, S J, h, w)
        batch: Batch,  # single pictures
    ) -> Tensor:  # scalar: mean over cells, joints and sets ("mse"), or mean distance in cells
        """Squared error to the Gaussian targets, or distance of the soft-argmax from the joint.

        Joints that are off the map or not labelled do not count.
        """
        height, width = maps.shape[-2:]
        cells = px_to_cells(batch.joints2d[:, 0], self.stride)
        limit = torch.tensor([width, height], device=cells.device)
        on_map = ((cells >= -0.5) & (cells <= limit - 0.5)).all(-1)
        counts = (on_map & batch.labelled2d[:, 0]).repeat(1, self.sets)
        cells = cells.repeat(1, self.sets, 1)
        if self.loss_form == "mse":
            per_joint = ops.heatmap_mse(
                maps,
                cells,
                sigma_cells=self.sigma(height),
                peak=self.peak,
                support=self.support,
                centres=self.centres,
            )
        else:
            per_joint = losses.distances(px_to_cells(self._soft(maps), self.stride), cells)
        return (per_joint * counts).sum() / counts.sum().clamp_min(1)

    def decode(
        self,
        maps: Tensor,  # (B, S J, h, w)
    ) -> tuple[Tensor, Tensor]:  # (B, J, 2) px, confidence (B, J) in 0..1
        """Read the last set of maps by the decoder that was asked for.

        All decoders are exact to 0.5 cell or better on clean maps; "soft" is pulled inwards where
        a Gaussian is cut off by the border.
        """
        maps = self._last(maps)
        if self.decoder == "soft":
            return self._soft(maps), self._confidence(maps.flatten(-2).amax(-1).float())
        scale, offset = cell_affine(self.stride)
        joints2d, score = ops.decode(
            maps, refine=_REFINEMENTS[self.decoder], scale=scale, offset=offset
        )
        return joints2d, self._confidence(score)

    def decode_soft(
        self,
        maps: Tensor,  # (B, S J, h, w)
    ) -> Tensor:  # (B, J, 2) px
        """Softmax-weighted mean of the cells; the gradient reaches every cell of the last set."""
        return self._soft(self._last(maps))

    def sigma(self, height: int) -> float:
        """Standard deviation of the Gaussians, in cells, on maps of that height."""
        return self.sigma_cells or math.sqrt(height / self.sigma_ratio)

    def _soft(self, maps: Tensor) -> Tensor:
        scale, offset = cell_affine(self.stride)
        return ops.soft_argmax(
            maps,
            inverse_temperature=self.inverse_temperature / self.peak,
            scale=scale,
            offset=offset,
        )

    def _last(self, maps: Tensor) -> Tensor:
        return maps[:, -(maps.shape[1] // self.sets) :]

    def _confidence(self, score: Tensor) -> Tensor:
        return (score / self.peak).clamp(0, 1)
