"""The joints of a batch of pictures as a map sees them, and which of them count."""

from __future__ import annotations

import torch
from torch import Tensor

from posezoo.contracts import Batch
from posezoo.geometry import Grid, px_to_cells


def targets(
    batch: Batch,  # single pictures
    stride: float,  # px per cell
    size: tuple[int, int],  # h, w in cells
    grid: Grid = "centred",
) -> tuple[Tensor, Tensor]:  # (B, J, 2) cells, and (B, J) bool: labelled and on the map
    """True 2D joints in cells."""
    cells = px_to_cells(batch.joints2d[:, 0], stride, grid, size)
    limit = torch.tensor([size[1], size[0]], device=cells.device)
    on_map = ((cells >= -0.5) & (cells <= limit - 0.5)).all(-1)
    return cells, on_map & batch.labelled2d[:, 0]


def map_size(maps: Tensor) -> tuple[int, int]:
    """Height and width in cells."""
    return maps.shape[-2], maps.shape[-1]
