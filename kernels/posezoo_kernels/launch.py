"""How kernels are launched, and how the work is cut: shared by all launchers."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

ENOUGH_PROGRAMS = 528  # 4 for each of the 132 multiprocessors of an H100 or H200


class Cut(NamedTuple):
    """The tiles of a map, and over how many programs its rows are spread."""

    rows: int
    tile_rows: int  # BR
    tile_columns: int  # BW
    parts: int  # programs per map
    part_rows: int  # rows per program, a multiple of BR
    even: bool  # no tile reaches over the edge: no masks
    warps: int


def is_channels_last(maps: Tensor) -> bool:
    """True if the joints of one cell lie side by side, and the usual order would need a copy."""
    last = maps.ndim == 4 and maps.is_contiguous(memory_format=torch.channels_last)
    return last and not maps.is_contiguous()


class Launch(NamedTuple):
    """One launch, as recorded."""

    kernel: Any
    grid: tuple[int, ...]
    arguments: dict[str, Any]
    num_warps: int
    trips: tuple[int, ...]  # of its loops in order, inner before outer; `static` counts by them


def launch(
    kernel: Any,
    grid: tuple[int, ...],
    like: Tensor,
    *,
    num_warps: int = 4,
    trips: tuple[int, ...] = (),
) -> Callable[..., None]:
    """`kernel[grid]` on the device of `like`, in the form that torch can trace.

    The one door to the device: inside `recording` launches are noted and not made.
    """

    def run(*arguments: Any, **constants: Any) -> None:
        if _record is not None:
            named = dict(zip(kernel.arg_names, arguments, strict=False)) | constants
            _record.append(Launch(kernel, grid, named, num_warps, trips))
            return
        several = like.is_cuda and torch.cuda.is_available() and torch.cuda.device_count() > 1
        runner = kernel[grid] if INTERPRETED else torch.library.wrap_triton(kernel)[grid]
        with torch.cuda.device(like.device) if several else contextlib.nullcontext():
            runner(*arguments, **constants, num_warps=num_warps)

    return run


@triton.jit
def inside(rows, columns, ROWS: tl.constexpr, W: tl.constexpr, EVEN: tl.constexpr):
    """The mask of a tile; where it is known to be all true, the compiler drops it."""
    if EVEN:
        mask = tl.full((rows.shape[0], columns.shape[0]), True, tl.int1)
    else:
        mask = (rows < ROWS)[:, None] & (columns < W)[None, :]
    return mask


@contextlib.contextmanager
def recording() -> Iterator[list[Launch]]:
    """Note what the launchers inside the block would launch; tensors may be on the meta device."""
    global _record  # noqa: PLW0603 - restored on leaving the block
    before, _record = _record, []
    try:
        yield _record
    finally:
        _record = before


def cut(
    maps: int,
    size: tuple[int, ...],
    *,
    cells: int = 1024,
    warps: int = 1,
    one_tile: bool = False,
) -> Cut:
    """Cut `maps` maps of this size (x last) into tiles of about `cells` cells.

    With `one_tile` each program has one tile; otherwise as few programs as keep the device busy.
    One warp for each map: no barrier in its sums, and fixed work is shared by more cells. Chosen by
    `static`: at 64x64 bfloat16 soft-argmax issues for 7.9 us under 8.3 us of bytes, but for 12.1 us
    with 4 warps.
    """
    rows = math.prod(size[:-1])
    columns = triton.next_power_of_2(size[-1])
    tile = min(max(1, cells // columns), triton.next_power_of_2(rows))
    tiles = triton.cdiv(rows, tile)
    if one_tile:
        wanted = tiles
    elif maps >= ENOUGH_PROGRAMS:
        wanted = 1
    else:
        wanted = min(tiles, triton.cdiv(4 * ENOUGH_PROGRAMS, warps * maps))
    part = triton.cdiv(tiles, wanted)
    parts = triton.cdiv(tiles, part)
    even = columns == size[-1] and parts * part * tile == rows
    return Cut(rows, tile, columns, parts, part * tile, even, warps)


def cut_cells(maps: Tensor, cells: int, *, one_tile: bool = False) -> tuple[int, int, int, int]:
    """Cut channels-last maps: BJ, BP, programs per image, cells per program (a multiple of BP)."""
    total = maps.shape[2] * maps.shape[3]
    bj = triton.next_power_of_2(maps.shape[1])
    bp = min(max(1, cells // bj), triton.next_power_of_2(total))
    tiles = triton.cdiv(total, bp)
    parts, part = (tiles, 1) if one_tile else spread(maps.shape[0], tiles, fill=2)
    return bj, bp, parts, part * bp


def spread(units: int, tiles: int, *, fill: int = 1) -> tuple[int, int]:
    """Programs for each unit, and tiles for each program, to fill the device `fill` times."""
    part = triton.cdiv(tiles, min(tiles, triton.cdiv(fill * ENOUGH_PROGRAMS, units)))
    return triton.cdiv(tiles, part), part


_record: list[Launch] | None = None
