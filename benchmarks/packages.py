"""The field's own packages, where they are installed (`pip install 'posezoo[bench]'`).

They are called as their documentation says and beside the formulations of `benchmarks.field`, which
are written anew; their names end in "'s own". Both measure in px with integer pixel centres here:
what a package says in coordinates of -1 to 1 is converted, and that is part of its time.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

KORNIA, DSNTNN = "kornia's own", "dsntnn's own"


def installed(package: str) -> bool:
    """Whether it is there; it is loaded when it is first called."""
    return importlib.util.find_spec(package) is not None


def soft_argmax_ways(maps: Tensor, inverse_temperature: float) -> dict[str, Callable[[], Tensor]]:
    """(B, J, ...) maps to (B, J, D) px."""
    ways: dict[str, Callable[[], Tensor]] = {}
    if installed("kornia") and maps.ndim == 4:
        # Its `temperature` multiplied until 0.8 and divides since: left at 1, all versions agree.
        ways[KORNIA] = lambda: _kornia_soft_argmax(maps * inverse_temperature)
    if installed("dsntnn"):
        ways[DSNTNN] = lambda: _dsntnn_soft_argmax(maps * inverse_temperature)
    return ways


def dsnt_loss_ways(
    maps: Tensor,  # (B, J, h, w)
    joints: Tensor,  # (B, J, 2) cells
    sigma_cells: float,
) -> dict[str, Callable[[], Tensor]]:
    """To (B, J): distance in cells, and Jensen-Shannon divergence from a Gaussian."""
    if not installed("dsntnn"):
        return {}
    return {DSNTNN: lambda: _dsntnn_loss(maps.float(), joints, sigma_cells)}


def _kornia_soft_argmax(maps: Tensor) -> Tensor:
    kornia: Any = importlib.import_module("kornia.geometry.subpix")
    places: Tensor = kornia.spatial_soft_argmax2d(maps, normalized_coordinates=False)
    return places


def _dsntnn_soft_argmax(maps: Tensor) -> Tensor:
    dsntnn: Any = importlib.import_module("dsntnn")
    return _in_cells(dsntnn.dsnt(dsntnn.flat_softmax(maps)), maps)


def _dsntnn_loss(maps: Tensor, joints: Tensor, sigma_cells: float) -> Tensor:
    dsntnn: Any = importlib.import_module("dsntnn")
    p = dsntnn.flat_softmax(maps)
    size = _size(maps)
    target = (2 * joints + 1) / size - 1
    divergence: Tensor = dsntnn.js_reg_losses(p, target, sigma_cells)
    return (_in_cells(dsntnn.dsnt(p), maps) - joints).norm(dim=-1) + divergence


def _in_cells(places: Tensor, maps: Tensor) -> Tensor:
    """From -1 at the outer edge of the first cell to 1 at that of the last."""
    return ((places + 1) * _size(maps) - 1) / 2


def _size(maps: Tensor) -> Tensor:
    """Cells along x, y and z."""
    return torch.tensor(maps.shape[:1:-1], dtype=torch.float32, device=maps.device)
