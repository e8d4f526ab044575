"""The conversions between frames: cells and pixels, root-centring, the optical axis, Procrustes.

This is the only place where heatmap cells become pixels. Pixel centres are integers: the centre
of the top-left pixel is (0, 0). The centre of cell (i, j) of a map of stride s therefore lies at
((i + 0.5) * s - 0.5, (j + 0.5) * s - 0.5) px, not at (i * s, j * s).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Grid = Literal["centred", "corner", "aligned"]


def cell_affine(
    stride: float,  # px per cell
    grid: Grid = "centred",
    cells: int = 0,  # of the axis; only an aligned grid needs to know
) -> tuple[float, float]:
    """(scale, offset) with px = cells * scale + offset: the one place that knows the half cell.

    Ours is the centred grid: cells tile the picture, so that the first one's centre is half a cell
    from its edge. Published networks were often trained on others: cell i at i * stride ("corner"),
    or the first and the last cell on the first and the last pixel ("aligned", as UDP has it).
    """
    if grid == "centred":
        return float(stride), 0.5 * stride - 0.5
    if grid == "corner":
        return float(stride), 0.0
    return (stride * cells - 1) / max(cells - 1, 1), 0.0


def axes_affine(
    stride: float,  # px per cell
    size: tuple[int, int],  # h, w in cells
    grid: Grid = "centred",
) -> tuple[list[float], list[float]]:  # scale and offset of x and y
    """`cell_affine` of both axes."""
    x, y = (cell_affine(stride, grid, cells) for cells in reversed(size))
    return [x[0], y[0]], [x[1], y[1]]


def cells_to_px(
    cells: Tensor,  # (..., 2) x, y in heatmap cells, cell centres at integers
    stride: float,  # px per cell
) -> Tensor:  # (..., 2) px
    """Map positions in heatmap cells to pixels."""
    scale, offset = cell_affine(stride)
    return cells * scale + offset


def px_to_cells(
    px: Tensor,  # (..., 2) x, y in pixels, pixel centres at integers
    stride: float,  # px per cell
    grid: Grid = "centred",
    size: tuple[int, int] = (0, 0),  # h, w in cells; only an aligned grid needs to know
) -> Tensor:  # (..., 2) cells
    """Map pixels to positions in heatmap cells; the inverse of `cells_to_px`."""
    if grid == "centred":
        scale, offset = cell_affine(stride)
        return (px - offset) / scale
    scales, offsets = axes_affine(stride, size, grid)
    return (px - px.new_tensor(offsets)) / px.new_tensor(scales)


def root_relative(
    joints_mm: Tensor,  # (..., J, 3) mm
    root: int = 0,
) -> Tensor:  # (..., J, 3) mm, joint `root` exactly 0
    """Subtract the root joint."""
    return joints_mm - joints_mm[..., root : root + 1, :]


def mirrored(
    joints: Tensor,  # (B, T, J, 2) px or (B, T, J, 3) mm
    order: Sequence[int],  # which joint comes to stand at each place: a skeleton's `mirror`
    middle: Tensor,  # (B,), in the joints' unit
) -> Tensor:  # the same shape
    """X about the middle, left and right exchanged."""
    x, rest = joints[..., list(order), :].tensor_split([1], -1)
    return torch.cat([2 * middle[:, None, None, None] - x, rest], -1)


def rotation_to_optical_axis(
    rays: Tensor,  # (..., 2) x/z, y/z of a direction in the camera frame
) -> Tensor:  # (..., 3, 3)
    """The smallest rotation that turns the direction (x, y, 1) onto the optical axis (0, 0, 1)."""
    x, y = rays.unbind(-1)
    length = (x * x + y * y + 1).sqrt()
    x, y, z = x / length, y / length, 1 / length
    k = 1 / (1 + z)  # Rodrigues' formula with the half-angle identity: no division by sin
    rows = [1 - k * x * x, -k * x * y, -x, -k * x * y, 1 - k * y * y, -y, x, y, z]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def procrustes_align(
    source: Tensor,  # (..., J, 3) mm
    target: Tensor,  # (..., J, 3) mm
    labelled: Tensor | None = None,  # (..., J) bool: the joints to fit by; None: all
) -> Tensor:  # (..., J, 3) mm, `source` in the best frame and scale
    """Fit rotation, translation and scale of `source` to `target` by least squares.

    No reflection is allowed: a mirrored pose keeps its error (Umeyama 1991). Half and bfloat16 are
    computed, and given, in float32. A pose that is not finite at a joint to fit by gives NaN.
    """
    source, target = at_least_float32(source), at_least_float32(target)
    weight = torch.ones_like(source[..., :1])
    if labelled is not None:
        weight = labelled[..., None].to(source)
    count = weight.sum(-2, keepdim=True).clamp_min(1)
    # Not a product alone: 0 times a number that is none is none.
    mean_source, mean_target = (
        each.where(weight > 0, 0).sum(-2, keepdim=True) / count for each in (source, target)
    )
    a, b = source - mean_source, target - mean_target
    a_fitted, b_fitted = a.where(weight > 0, 0), b.where(weight > 0, 0)
    covariance = a_fitted.transpose(-1, -2) @ b_fitted
    energy = a_fitted.square().sum((-1, -2), keepdim=True)
    # LAPACK refuses a whole batch for one such matrix.
    finite = covariance.isfinite().all((-1, -2), keepdim=True) & energy.isfinite()
    u, s, vt = torch.linalg.svd(covariance.where(finite, 0))
    sign = torch.ones_like(s)
    sign[..., -1] = torch.where(torch.linalg.det(u @ vt) < 0, -1.0, 1.0)
    rotation = u @ (sign[..., None] * vt)
    scale = (s * sign).sum(-1)[..., None, None] / energy.clamp_min(torch.finfo(a.dtype).tiny)
    return (scale * (a @ rotation) + mean_target).where(finite, torch.nan)


def person_size(
    joints2d: Tensor,  # (..., J, 2) px
    labelled: Tensor | None = None,  # (..., J) bool: those that are known; None: all
) -> Tensor:  # (..., 1) px
    """Root mean square distance of a person's joints from their mean."""
    known = torch.ones_like(joints2d[..., :1]) if labelled is None else labelled[..., None]
    count = known.sum(-2).clamp_min(1)  # (..., 1)
    joints2d = joints2d.where(known > 0, 0)
    centred = (joints2d - (joints2d.sum(-2) / count)[..., None, :]).where(known > 0, 0)
    return (centred.square().sum((-1, -2))[..., None] / count).sqrt().clamp_min(1e-6)


def at_least_float32(values: Tensor) -> Tensor:  # any shape
    """In float32, or as they are if that is finer."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
