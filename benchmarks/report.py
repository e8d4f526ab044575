"""A run of groups as lines of text, each as soon as it is measured; saved, compared on request."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import pipelines, tables
from benchmarks.groups import GROUPS, static_columns
from benchmarks.rows import Row


def run(
    groups: Sequence[str],
    device: str,
    *,
    seconds: float,
    compiled: bool,
    output: Path | None,
    compare: Path | None,
    named: bool = True,
    which: Sequence[str] = (),
    batch_size: int = 0,
    image_size: int = 0,
    detail: bool = False,
    heard: Callable[[Row], None] = lambda row: None,
) -> Iterator[str]:
    """Measure the groups in order; on a CPU with one thread, which is undone at the end.

    `which` are pipelines, specs or folders of runs, and come before the groups. `heard` is told of
    each row as soon as it is measured. Without `detail` a line is an operation, not a formulation;
    the long table of what perfect maps leave comes only where the user has `named` the group.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where, threads = torch.device(device), torch.get_num_threads()
    if where.type == "cpu":
        torch.set_num_threads(1)
    rows: list[Row] = []
    static: list[dict[str, Any]] = []

    def kept(measured: Iterator[Row]) -> Iterator[Row]:
        for row in measured:
            heard(row)
            rows.append(row)
            yield row

    try:
        sizes = {"batch_size": batch_size, "image_size": image_size}
        for report in pipelines.reports(which, where, seconds=seconds, **sizes):
            cells = pipelines.cells([*kept(iter(report.rows))])
            yield from ("", report.above, *tables.aligned([pipelines.HEADINGS, *cells]))
            yield from report.below
        groups = [group for group in groups if not (which and group == "pipeline")]
        if groups and not detail:
            yield from ("", *tables.LEGEND, tables.line(tables.BRIEF))
        for group in groups:
            options = {"compiled": compiled} if group == "kernels" else {}
            measured = kept(GROUPS[group](where, seconds=seconds, **options))
            if detail:
                yield f"\n{group} on {where}"
            yield from (_in_full if detail else _as_they_come)(measured)
            if named or detail:
                yield from _codec([row for row in rows if row.group == group and row.setting])
            if detail and group == "kernels" and importlib.util.find_spec("triton"):
                static = static_columns()
                yield "\nTriton kernels as compiled, without a GPU: sm_80 and sm_90, H200 predicted"
                lines = [tables.static_cells(report) for report in static]
                yield from tables.aligned([tables.STATIC_HEADINGS, *lines])
        if not detail:
            times = [row for row in rows if row.group in groups and not row.setting]
            yield from tables.summary(times)
        if compare is not None:
            yield f"\nagainst {compare}"
            yield from tables.aligned([tables.COMPARED, *tables.compare(rows, compare)])
        if output is not None:
            tables.save(output, where, rows, static)
    finally:
        torch.set_num_threads(threads)


def _in_full(measured: Iterator[Row]) -> Iterator[str]:
    """A line for each formulation, with all columns."""
    times = [row for row in measured if not row.setting]
    yield from tables.aligned([tables.HEADINGS, *map(tables.cells, times)])


def _as_they_come(measured: Iterator[Row]) -> Iterator[str]:
    """The line of an operation as soon as its last formulation is measured."""
    for _, alike in itertools.groupby(measured, key=tables.key):
        rows = []
        for row in alike:
            rows += [] if row.setting else [row]
            if row.value is not None and not row.setting:
                break  # measured by itself, as the copy is: nobody need wait for what comes next
        for cells in tables.brief(rows):
            yield tables.line(cells)


def _codec(settings: list[Row]) -> Iterator[str]:
    """What perfect maps leave, by how they are drawn and read."""
    if settings:
        yield "\nWhat perfect maps leave: joints of people in 256 px, mean px/mm"
        lines = [tables.codec_headings(settings), *tables.codec_cells(settings)]
        yield from tables.aligned([[*map(_narrow, cells)] for cells in lines])


def _narrow(cell: str) -> str:
    """Without what the title says, so that a line has at most 100 characters."""
    return cell.replace("sigma ", "").replace(" px ", "/").removesuffix(" mm")
