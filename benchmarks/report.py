"""A run of groups as tables, one after the other, saved and compared on request."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import tables
from benchmarks.groups import GROUPS, static_columns
from benchmarks.rows import Row


class Table(NamedTuple):
    title: str
    headings: Sequence[str]
    lines: list[tuple[str, ...]]
    below: Sequence[str] = ()  # sentences


def run(
    groups: Sequence[str],
    device: str,
    *,
    seconds: float,
    compiled: bool,
    output: Path | None,
    compare: Path | None,
    detail: bool = False,
    heard: Callable[[Row], None] = lambda row: None,
) -> Iterator[Table]:
    """Measure the groups in order; on a CPU with one thread, which is undone at the end.

    `heard` is told of each row as soon as it is measured. Without `detail` there is one table, a
    line for each operation.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where, threads = torch.device(device), torch.get_num_threads()
    if where.type == "cpu":
        torch.set_num_threads(1)
    rows: list[Row] = []
    static: list[dict[str, Any]] = []
    try:
        for group in groups:
            options = {"compiled": compiled} if group == "kernels" else {}
            found = []
            for row in GROUPS[group](where, seconds=seconds, **options):
                heard(row)
                found.append(row)
            rows += found
            if settings := [row for row in found if row.setting]:
                title = "What perfect maps leave: joints of people in 256 px, mean"
                yield Table(title, tables.codec_headings(settings), [*tables.codec_cells(settings)])
            times = [row for row in found if not row.setting]
            yield _times(f"{group} on {where}", times, detail=detail)
            if detail and group == "kernels" and importlib.util.find_spec("triton"):
                static = static_columns()
                title = "Triton kernels as compiled, without a GPU: sm_80 and sm_90, H200 predicted"
                lines = [tables.static_cells(report) for report in static]
                yield Table(title, tables.STATIC_HEADINGS, lines)
        if not detail:
            yield Table("How to read it", (), [], tables.LEGEND)
        if compare is not None:
            yield Table(f"against {compare}", tables.COMPARED, tables.compare(rows, compare))
        if output is not None:
            tables.save(output, where, rows, static)
    finally:
        torch.set_num_threads(threads)


def _times(title: str, rows: list[Row], *, detail: bool) -> Table:
    if detail:
        return Table(title, tables.HEADINGS, [tables.cells(row) for row in rows])
    return Table(title, tables.BRIEF, tables.brief(rows), tables.summary(rows))
