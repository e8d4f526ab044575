"""Decoding of maps whose joints lie side by side, as a channels-last network leaves them.

`_peaks` reads tiles of BP cells of all BJ joints where they lie and leaves the greatest value and
its first index of each part of a map; `_refine`, one program a map, takes the first greatest of
the parts and finishes as decode.py does, with cells that are J apart.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from posezoo_kernels.decode_refine import cells, finish
from posezoo_kernels.launch import cut_cells, launch


def forward(
    arguments: tuple[Tensor, ...],  # maps and flipped channels last, order, place, score
    numbers: tuple[float, ...],
    shared: dict[str, Any],
    refinement: dict[str, Any],
) -> None:
    """Launch `_peaks` and `_refine` into the last two of the arguments."""
    maps, flipped, order, place, score = arguments
    batch, joints = maps.shape[:2]
    bj, bp, parts, part = cut_cells(maps, 1024)
    values = maps.new_empty((batch, joints, parts), dtype=torch.float32)
    index = maps.new_empty((batch, joints, parts), dtype=torch.int32)
    launch(_peaks, (batch, parts), maps)(
        maps, flipped, order, values, index, J=joints, PART=part, BP=bp, BJ=bj, **shared
    )
    launch(_refine, (batch * joints,), maps, num_warps=1)(
        maps, flipped, order, values, index, place, score, *numbers, parts, J=joints,
        BS=triton.next_power_of_2(parts), **shared, **refinement,
    )  # fmt: skip


@triton.jit
def _peaks(
    maps, flipped, order, values, index,
    J: tl.constexpr, PART: tl.constexpr, BP: tl.constexpr, BJ: tl.constexpr,
    FLIP: tl.constexpr, SHIFT: tl.constexpr, H: tl.constexpr, W: tl.constexpr,
):  # fmt: skip
    image = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    joints = tl.arange(0, BJ)
    real = joints < J
    mirror = joints.to(tl.int64)
    if FLIP:
        mirror = tl.load(order + joints, mask=real, other=0)
    at = image * (H * W * J)
    best = tl.full((BP, BJ), float("-inf"), tl.float32)
    found = part * PART + tl.arange(0, BP)[:, None] + tl.zeros((BP, BJ), tl.int32)
    for start in range(0, PART, BP):
        cell = part * PART + start + tl.arange(0, BP)
        mask = (cell < H * W)[:, None] & real[None, :]
        y, x = (cell // W)[:, None], (cell % W)[:, None]
        v = cells(
            maps, flipped, at + joints[None, :], at + mirror[None, :], y, x, mask, FLIP, SHIFT, W, J
        )
        v = tl.where(v == v, v, float("inf"))  # noqa: PLR0124 - false for NaN
        v = tl.where(mask, v, float("-inf"))
        better = v > best
        found = tl.where(better, cell[:, None], found)
        best = tl.where(better, v, best)
    top = tl.max(best, 0)
    first = tl.min(tl.where(best == top[None, :], found, H * W - 1), 0)
    to = (image * J + joints) * tl.num_programs(1) + part
    tl.store(values + to, top, mask=real)
    tl.store(index + to, first, mask=real)


@triton.jit
def _refine(
    maps, flipped, order, values, index, place, score,
    falloff, limit, scale_x, scale_y, offset_x, offset_y, S,
    J: tl.constexpr, BS: tl.constexpr, FLIP: tl.constexpr, SHIFT: tl.constexpr, H: tl.constexpr,
    W: tl.constexpr, REFINE: tl.constexpr, REACH: tl.constexpr, RADIUS: tl.constexpr,
    BP: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0).to(tl.int64)
    parts = tl.arange(0, BS)
    mask = parts < S
    v = tl.load(values + n * S + parts, mask=mask, other=float("-inf"))
    i = tl.load(index + n * S + parts, mask=mask, other=H * W - 1)
    first = tl.min(tl.where(v == tl.max(v, 0), i, H * W - 1), 0)
    at = n // J * (H * W * J) + n % J
    mirror = at
    if FLIP:
        mirror = n // J * (H * W * J) + tl.load(order + n % J)
    finish(
        maps, flipped, at, mirror, first, place, score, n,
        falloff, limit, scale_x, scale_y, offset_x, offset_y,
        REFINE, FLIP, SHIFT, REACH, RADIUS, H, W, J, BP,
    )  # fmt: skip
