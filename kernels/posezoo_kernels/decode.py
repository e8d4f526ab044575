"""Hard argmax with refinement, score, flip average and affine map, in one read of the maps.

Each program keeps, per lane of a tile, the greatest value so far and its index (strictly greater
wins, so the first), and reduces once at the end, ties to the least index; `decode_refine` does the
rest. NaN counts as greater than all, as in numpy.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels import decode_channels_last as channels_last
from posezoo_kernels.decode_refine import cells, finish
from posezoo_kernels.launch import cut as cut_map
from posezoo_kernels.launch import inside, is_channels_last, launch

_REFINE = {"none": 0, "quarter": 1, "taylor": 2, "dark": 3, "udp": 4}


def forward(
    maps: Tensor,  # (B, J, h, w)
    flipped: Tensor | None,  # (B, J, h, w)
    flip_joints: Tensor | None,  # (J,) int64
    *,
    flip_shift: bool,
    refine: str,
    blur_cells: int,
    blur_sigma: float,
    limit: float,
    scale: list[float],
    offset: list[float],
) -> tuple[Tensor, Tensor]:  # (B, J, 2), (B, J)
    """Launch `_decode`, or `_peaks` and `_refine` of maps that lie channels last."""
    (batch, joints), size = maps.shape[:2], tuple(maps.shape[2:])
    place, score = (
        maps.new_empty(s, dtype=torch.float32) for s in ((batch, joints, 2), (batch, joints))
    )
    if maps.numel() == 0:
        return place, score
    reach = 1 if refine == "udp" else 2
    radius = blur_cells // 2 if refine in ("dark", "udp") else 0
    shared: dict[str, Any] = {"FLIP": flipped is not None, "SHIFT": int(flip_shift)}
    shared |= {"H": size[0], "W": size[1]}
    refinement: dict[str, Any] = {"REFINE": _REFINE[refine], "REACH": reach, "RADIUS": radius}
    refinement["BP"] = triton.next_power_of_2(2 * (reach + radius) + 1)
    numbers = -0.5 / blur_sigma**2, min(limit, 3.0e38), *scale, *offset
    last = is_channels_last(maps)
    layout = torch.channels_last if last else torch.contiguous_format
    maps = maps.contiguous(memory_format=layout)
    over = maps if flipped is None else flipped.contiguous(memory_format=layout)
    order = maps if flip_joints is None else flip_joints.contiguous()
    if last:
        channels_last.forward((maps, over, order, place, score), numbers, shared, refinement)
        return place, score
    c = cut_map(batch * joints, size)
    launch(_decode, (batch * joints,), maps, num_warps=c.warps)(
        maps, over, order, place, score, *numbers, joints,
        BR=c.tile_rows, BW=c.tile_columns, EVEN=c.even, **shared, **refinement,
    )  # fmt: skip
    return place, score


@triton.jit
def _decode(
    maps, flipped, order, place, score, falloff, limit, scale_x, scale_y, offset_x, offset_y, J,
    REFINE: tl.constexpr, FLIP: tl.constexpr, SHIFT: tl.constexpr, REACH: tl.constexpr,
    RADIUS: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
    BR: tl.constexpr, BW: tl.constexpr, BP: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    mirror = n
    if FLIP:
        mirror = n - n % J + tl.load(order + n % J)
    columns = tl.arange(0, BW)
    best = tl.full((BR, BW), float("-inf"), tl.float32)
    index = tl.arange(0, BR)[:, None] * W + columns[None, :]
    for start in range(0, H, BR):
        rows = start + tl.arange(0, BR)
        mask = inside(rows, columns, H, W, EVEN)
        y, x = rows[:, None], columns[None, :]
        v = cells(maps, flipped, n * (H * W), mirror * (H * W), y, x, mask, FLIP, SHIFT, W, 1)
        v = tl.where(v == v, v, float("inf"))  # noqa: PLR0124 - false for NaN
        v = tl.where(mask, v, float("-inf"))
        better = v > best
        index = tl.where(better, y * W + x, index)
        best = tl.where(better, v, best)
    top = tl.max(tl.max(best, 1), 0)
    first = tl.min(tl.min(tl.where(best == top, index, H * W - 1), 1), 0)
    finish(
        maps, flipped, n * (H * W), mirror * (H * W), first, place, score, n,
        falloff, limit, scale_x, scale_y, offset_x, offset_y,
        REFINE, FLIP, SHIFT, REACH, RADIUS, H, W, 1, BP,
    )  # fmt: skip
