"""Heatmap operations: a fused Triton kernel and an equal plain-torch path for each.

All positions are in heatmap cells, cell centres at integers, x first; `scale` and `offset` carry
them to pixels (`posezoo.geometry.cell_affine`). Coordinates and losses are float32 always.
"""

from __future__ import annotations

from posezoo.ops.decode import decode
from posezoo.ops.dispatch import BackendUnavailable, backend, backend_in_use
from posezoo.ops.dsnt_loss import dsnt_loss
from posezoo.ops.gaussian_heatmaps import gaussian_heatmaps
from posezoo.ops.head_mse import head_mse
from posezoo.ops.heatmap_mse import heatmap_mse
from posezoo.ops.integral_head import integral_head
from posezoo.ops.moments import Moments, moments
from posezoo.ops.soft_argmax import soft_argmax

__all__ = [
    "BackendUnavailable",
    "Moments",
    "backend",
    "backend_in_use",
    "decode",
    "dsnt_loss",
    "gaussian_heatmaps",
    "head_mse",
    "heatmap_mse",
    "integral_head",
    "moments",
    "soft_argmax",
]
