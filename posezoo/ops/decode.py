"""Hard decoding: the greatest cell of a heatmap, refined to a fraction of a cell.

One read of the maps; the refinements look at a few cells around the maximum only. DARK and UDP
(Zhang et al. 2020, Huang et al. 2020) blur the map first: their formula is invariant to a factor,
so a blurred patch of 5x5 cells does in place of the blurred map.
Not differentiable; see `soft_argmax`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from posezoo.ops.axes import affine, per_axis
from posezoo.ops.dispatch import define, is_concrete, use_triton

Refine = Literal["none", "quarter", "taylor", "dark", "udp"]


def decode(
    maps: Tensor,  # (B, J, h, w)
    *,
    refine: Refine = "none",
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
    blur_cells: int = 11,
    max_shift_cells: float = 1.0,
    flipped: Tensor | None = None,  # (B, J, h, w) maps of the mirrored picture
    flip_joints: Tensor | None = None,  # (J,) int64: which joint of the mirrored picture is joint j
    flip_shift: bool = False,
) -> tuple[Tensor, Tensor]:  # (B, J, 2) x, y: cells * scale + offset; (B, J) greatest value
    """Position and value of each map's maximum, float32 (float64 for float64 maps).

    Of equal cells the first in memory order wins, as in numpy. The border: `quarter` leaves an
    axis alone where a neighbour is off the map; `taylor` and `dark` do nothing within two cells of
    the edge; `udp` repeats the edge cells. No refinement is made on a maximum that is not
    positive, or where the map is not finite.

    Args:
        maps: heatmaps, any floating dtype.
        refine: `quarter` moves a quarter of a cell towards the greater neighbour on each axis.
            `taylor`, `dark` and `udp` take a Newton step on the map's logarithm: on the map itself,
            on the blurred map with differences over two cells, over one cell.
        scale: from cells to the caller's unit, one number or one per axis (x first).
        offset: likewise; px = cells * scale + offset with `posezoo.geometry.cell_affine`.
        blur_cells: width of the blur of `dark` and `udp`, odd; OpenCV's sigma, 2.0 for 11.
        max_shift_cells: bound of the Newton step per axis: the Hessian of a noisy map can be
            almost singular. `math.inf` gives the papers' formula.
        flipped: averaged with the maps after mirroring back.
        flip_joints: the joint order of the mirrored picture, left and right exchanged.
        flip_shift: move the mirrored maps one cell right, for networks trained with cells that
            map to index * stride. With this package's half-cell convention leave it off.

    Example:
        >>> maps = torch.tensor([[[[0.0, 7.0, 3.0, 0.0]]]])  # one row of four cells
        >>> place, value = decode(maps)
        >>> place.tolist(), value.tolist()
        ([[[1.0, 0.0]]], [[7.0]])
        >>> decode(maps, refine="quarter", scale=4.0, offset=1.5)[0]  # px at stride 4
        tensor([[[6.5000, 1.5000]]])
    """
    if maps.ndim != 4:
        raise ValueError(f"maps: expected (B, J, h, w), got {tuple(maps.shape)}")
    if refine not in get_args(Refine):
        raise ValueError(f"refine: expected one of {', '.join(get_args(Refine))}, got {refine!r}")
    if blur_cells < 3 or blur_cells % 2 == 0:
        raise ValueError(f"blur_cells: expected an odd number from 3, got {blur_cells!r}")
    if (flipped is None) != (flip_joints is None):
        raise ValueError("flipped: needs flip_joints, and flip_joints needs it; got one of them")
    if flipped is not None and flip_joints is not None:
        if flipped.shape != maps.shape or flip_joints.shape != maps.shape[1:2]:
            raise ValueError(
                f"flipped: expected {tuple(maps.shape)} with flip_joints ({maps.shape[1]},), got "
                f"{tuple(flipped.shape)} with {tuple(flip_joints.shape)}"
            )
    return _decode(
        maps.detach(),
        None if flipped is None else flipped.detach(),
        flip_joints,
        flip_shift=flip_shift,
        refine=refine,
        blur=blur_cells,
        limit=float(max_shift_cells),
        scale=per_axis(scale, 2, "scale"),
        offset=per_axis(offset, 2, "offset"),
    )


@define("decode")
def _decode(
    maps: Tensor,
    flipped: Tensor | None,
    flip_joints: Tensor | None,
    *,
    flip_shift: bool,
    refine: str,
    blur: int,
    limit: float,
    scale: list[float],
    offset: list[float],
) -> tuple[Tensor, Tensor]:
    if use_triton(maps):
        from posezoo_kernels.decode import forward  # noqa: PLC0415 - only where used

        return forward(
            maps,
            flipped,
            flip_joints,
            flip_shift=flip_shift,
            refine=refine,
            blur_cells=blur,
            blur_sigma=_sigma(blur),
            limit=limit,
            scale=scale,
            offset=offset,
        )
    values = maps.to(torch.float64 if maps.dtype == torch.float64 else torch.float32)
    if flipped is not None:
        mirrored = flipped[:, flip_joints].flip(-1).to(values.dtype)
        if flip_shift:
            mirrored = torch.cat([mirrored[..., :1], mirrored[..., :-1]], -1)
        values = (values + mirrored) * 0.5
    x, y, score = _maximum(values, quarter=refine == "quarter")
    place = torch.stack([x, y], -1).to(values.dtype)
    if refine not in ("none", "quarter"):
        place += _newton(values, x, y, refine, blur).clamp_(-limit, limit)
    return affine(place, scale, offset), score


def _maximum(
    maps: Tensor,  # (B, J, h, w)
    *,
    quarter: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # column, row, value: (B, J); integers without `quarter`
    """The first maximum, moved by a quarter of a cell towards the greater neighbours on request.

    Written for what tensors and arrays have in common: on a CPU torch's max of a flat map takes
    10 to 18 times as long as numpy's, and its calls on small tensors three times.
    """
    *lead, height, width = maps.shape
    count, each = lead[0] * lead[1], height * width
    cells: Any  # arrays or tensors, as are index and first
    index: Any
    first: Any
    if is_concrete(maps):
        cells = maps.numpy().reshape(count, each)
        index, first = cells.argmax(1), np.arange(count) * each
    else:
        cells = maps.reshape(count, each)
        start = maps.amax(-1).argmax(-1).view(count, 1) * width  # of the row that has it
        line = cells.gather(1, start + torch.arange(width, device=maps.device))
        index = start[:, 0] + line.argmax(-1)
        first = torch.arange(count, device=maps.device) * each
    cells, at = cells.reshape(-1), index + first
    x, y, score = index % width, index // width, cells[at]
    if quarter:
        east, south = _greater(cells, at, 1), _greater(cells, at, width)
        x = x + east * ((x > 0) & (x < width - 1) & (score > 0))
        y = y + south * ((y > 0) & (y < height - 1) & (score > 0))
    column, row, value = (torch.as_tensor(found).view(lead) for found in (x, y, score))
    return column, row, value


def _greater(cells: Any, at: Any, step: int) -> Any:
    """A quarter towards the greater of two neighbours, whatever there is beyond the border."""
    ahead, behind = cells[(at + step) % len(cells)], cells[at - step]
    return (ahead > behind) * 0.25 - (ahead < behind) * 0.25


def _patch(
    maps: Tensor,  # (B, J, h, w)
    x: Tensor,  # (B, J) column
    y: Tensor,  # (B, J) row
    radius: int,
) -> Tensor:  # (B, J, 2 * radius + 1, 2 * radius + 1), 0 off the map
    height, width = maps.shape[-2:]
    around = torch.arange(-radius, radius + 1, device=maps.device)
    rows, columns = y[..., None] + around, x[..., None] + around
    inside = ((rows >= 0) & (rows < height))[..., None]
    inside = inside & ((columns >= 0) & (columns < width))[..., None, :]
    index = rows.clamp(0, height - 1)[..., None] * width
    index = index + columns.clamp(0, width - 1)[..., None, :]
    patch = maps.flatten(2).gather(2, index.flatten(2)).view(index.shape)
    return torch.where(inside, patch, 0.0)


def _newton(maps: Tensor, x: Tensor, y: Tensor, refine: str, blur: int) -> Tensor:
    """Minus inverse Hessian times gradient of the log map, both by finite differences."""
    height, width = maps.shape[-2:]
    udp = refine == "udp"
    reach = 1 if udp else 2
    if refine == "taylor":
        patch = _patch(maps, x, y, reach)
    else:
        patch = _patch(maps, x, y, reach + blur // 2)
        taps = _taps(blur, maps)
        band = torch.stack([F.pad(taps, (i, 2 * reach - i)) for i in range(2 * reach + 1)])
        with torch.autocast(maps.device.type, enabled=False):  # it would make this bfloat16
            patch = band @ patch @ band.T
    around = torch.arange(-reach, reach + 1, device=maps.device)
    if udp:
        rows = (y[..., None] + around).clamp(0, height - 1) - y[..., None] + reach
        columns = (x[..., None] + around).clamp(0, width - 1) - x[..., None] + reach
        patch = patch.gather(-2, rows[..., None].expand(patch.shape))
        patch = patch.gather(-1, columns[..., None, :].expand(patch.shape))
        usable = torch.ones_like(x, dtype=torch.bool)
    else:
        usable = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    centre = patch[..., reach, reach]
    floor = 1e-3 if udp else 1e-10
    at = (patch / centre[..., None, None]).clamp(min=floor).log()

    def near(dx: int, dy: int) -> Tensor:
        return at[..., reach + dy, reach + dx]

    gx, gy = 0.5 * (near(1, 0) - near(-1, 0)), 0.5 * (near(0, 1) - near(0, -1))
    if udp:
        eps = torch.finfo(torch.float32).eps
        xx = near(1, 0) + near(-1, 0) + eps
        yy = near(0, 1) + near(0, -1) + eps
        xy = near(1, 1) - near(1, 0) - near(0, 1) - near(-1, 0) - near(0, -1) + near(-1, -1)
        xy = 0.5 * xy
    else:
        xx = 0.25 * (near(2, 0) + near(-2, 0))
        yy = 0.25 * (near(0, 2) + near(0, -2))
        xy = 0.25 * (near(1, 1) - near(-1, 1) - near(1, -1) + near(-1, -1))
    determinant = xx * yy - xy * xy
    usable = usable & (centre > 0) & (determinant != 0)
    step = torch.stack([xy * gy - yy * gx, xy * gx - xx * gy], -1) / determinant[..., None]
    usable = usable & step.isfinite().all(-1)  # a map with an infinity: its cell
    return torch.where(usable[..., None], step, 0.0)


def _taps(width: int, like: Tensor) -> Tensor:
    """The weights of OpenCV's Gaussian blur of this width."""
    apart = torch.arange(-(width // 2), width // 2 + 1, dtype=like.dtype, device=like.device)
    taps = (apart.square() * (-0.5 / _sigma(width) ** 2)).exp()
    return taps / taps.sum()


def _sigma(width: int) -> float:
    """The sigma that OpenCV takes for a blur of this width when given none."""
    return 0.3 * ((width - 1) * 0.5 - 1) + 0.8
