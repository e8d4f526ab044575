"""Rows as text, as JSON, and against an earlier run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks import measure
from benchmarks.rows import Row

HEADINGS = (
    *("operation", "implementation", "shape", "type", "mode", "best ms", "p20", "p50", "p80"),
    *("x posezoo", "GB/s", "floor us", "% copy", "launches", "moved MB", "peak MB", "note"),
)
STATIC_HEADINGS = (
    "operation",
    "kernel",
    "type",
    "arch",
    "registers",
    "spill",
    "bits",
    "issue us",
    "us",
)
COMPARED = ("row", "shape", "then ms", "now ms", "now / then")


BRIEF = ("operation", "shape", "type", "mode", "ours ms", "best other", "ms", "ratio", "gate")
LEGEND = (
    "ours ms: best time of posezoo's own path, its first of several; or a value and its unit.",
    "best other: the fastest other formulation that passed its gate, and its ms.",
    "kornia's own, dsntnn's own: those packages (posezoo[bench]); all else is written anew.",
    "ratio: its time over ours; above 1, ours is faster.",
    "gate: equal to the reference within the stated tolerance; what is not is counted as wrong.",
    "--detail and --json: every formulation, spread, bandwidth, launches and memory.",
)
_WIDTHS = (22, 13, 4, 4, 8, 13, 7, 6, 7)  # of columns: a line has 100 characters
_NAME = sum(_WIDTHS[:4]) + 3 * 2
_SHORT = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "forward": "fwd"}
_SHORT |= {"backward": "bwd"}


def brief(rows: list[Row]) -> list[tuple[str, ...]]:
    """A line for each operation, shape, type and mode: ours, the best other, and their ratio."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    lines = []
    for of, found in groups.items():
        refused = sum(row.gate != "pass" for row in found)
        gate = f"{refused} wrong" if refused else "pass"
        for mode in dict.fromkeys(row.mode or "" for row in found if row.gate == "pass"):
            own = [row for row in found if row.gate == "pass" and (row.mode or "") == mode]
            lines.append(_cut((*of, mode, *_against(own), gate)))
        if refused == len(found):
            lines.append(_cut((*of, "", "", "", "", "", gate)))
    return lines


def key(row: Row) -> tuple[str, str, str]:
    """What is measured: a formulation that was refused has no mode, it counts in every mode."""
    return _operation(row), "x".join(map(str, row.shape or ())), row.dtype or ""


def line(cells: Sequence[str]) -> str:
    """Cells in columns of fixed widths, so that one can be printed before the next is known."""
    if not any(cells[1:4]):  # nothing but a name: it may have their room
        return "  ".join([cells[0].ljust(_NAME), *map(str.ljust, cells[4:], _WIDTHS[4:])]).rstrip()
    return "  ".join(map(str.ljust, cells, _WIDTHS)).rstrip()


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """A table in columns as wide as need be."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in lines]


def summary(rows: list[Row]) -> tuple[str, ...]:
    """Where ours is faster, where slower, and what failed its gate; nothing to compare, nothing."""
    ratios = {f"{line[0]} {line[1]} {line[3]}": line[7] for line in brief(rows) if line[7]}
    faster = sum(float(ratio) > 1 for ratio in ratios.values())
    slower = [name for name, ratio in ratios.items() if float(ratio) < 1]
    refused = [f"{row.operation}: {row.implementation}" for row in rows if row.gate != "pass"]
    if not ratios and not refused:
        return ()
    return (
        f"Faster than the best other in {faster} of {len(ratios)} comparisons.",
        f"Slower in {len(slower)}{': ' if slower else ''}{_some(slower)}.",
        f"Refused by their gate: {len(refused)}{': ' if refused else ''}{_some(refused)}.",
    )


def _against(rows: list[Row]) -> tuple[str, str, str, str]:
    """Ours, who is the best other, its time, and the ratio."""
    ours = next((row for row in rows if row.implementation.startswith("posezoo")), rows[0])
    if ours.best_ms is None:
        value = "" if ours.value is None else f"{ours.value:.4g}"
        return value, ours.unit or "", "", ""
    others = [row for row in rows if row.best_ms and not row.implementation.startswith("posezoo")]
    if not others or ours in others:
        return f"{ours.best_ms:.4g}", "", "", ""
    best = min(others, key=lambda row: row.best_ms or 0.0)
    assert best.best_ms is not None
    ratio = best.best_ms / ours.best_ms
    return f"{ours.best_ms:.4g}", best.implementation, f"{best.best_ms:.4g}", f"{ratio:.2f}"


def _operation(row: Row) -> str:
    return ", ".join(filter(None, (row.operation, row.setting)))


def _some(names: list[str], most: int = 2) -> str:
    return "; ".join(names[:most]) + "; ..." * (len(names) > most)


def _cut(cells: Sequence[str]) -> tuple[str, ...]:
    widths = _WIDTHS if any(cells[1:4]) else (_NAME, *_WIDTHS[1:])
    texts = [_SHORT.get(cell, cell) for cell in cells]
    return tuple(
        text if len(text) <= most else text[: most - 3] + "..."
        for text, most in zip(texts, widths, strict=True)
    )


def cells(row: Row) -> tuple[str, ...]:
    note = "" if row.gate == "pass" else row.gate
    if row.value is not None:
        note = f"{row.value:.4g} {row.unit}"
    numbers = (
        *(row.best_ms, row.p20_ms, row.p50_ms, row.p80_ms, row.ratio, row.gbps),
        *(row.floor_us, row.copy_percent, row.kernels, row.moved_mb, row.peak_mb),
    )
    shape = "x".join(map(str, row.shape or ()))
    texts = (_operation(row), row.implementation, shape, row.dtype or "", row.mode or "")
    return *texts, *("" if n is None else f"{n:.4g}" for n in numbers), note


def codec_headings(rows: list[Row]) -> tuple[str, ...]:
    return "map", "ratio, sigma cells, centres", *_decoders(rows)


def codec_cells(rows: list[Row]) -> Iterator[tuple[str, ...]]:
    """One line for each way of drawing, with the error left by each decoder in px and mm."""
    left: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for row in rows:
        if row.setting and row.value is not None:
            line = left.setdefault(("x".join(map(str, row.shape or ())), row.setting), {})
            line[row.implementation, row.operation] = row.value
    for head, values in left.items():
        yield (
            head[0],
            head[1].replace("sigma ", ""),
            *(
                f"{values[name, 'mean error']:.2f}/{values[name, 'mean error at true depth']:.1f}"
                for name in _decoders(rows)
            ),
        )


def _decoders(rows: list[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.implementation for row in rows))


def static_cells(report: dict[str, Any]) -> tuple[str, ...]:
    issue = report["issue_us"]
    shape = "x".join(map(str, report["shape"]))
    return (
        f"{report['operation']} {shape}",
        report["kernel"],
        report["dtype"],
        f"sm_{report['arch']}",
        str(report["registers"]),
        str(report["spill_bytes"]),
        f"{report['load_bits']}/{report['store_bits']}",
        "" if issue is None else f"{issue:.1f}",
        f"{max(issue or 0, report['bytes_us']):.1f}",
    )


def save(path: Path, device: torch.device, rows: list[Row], static: list[dict[str, Any]]) -> None:
    """Write a run as data: where and with what it ran, then its rows."""
    report = {
        "circumstances": measure.circumstances(device),
        "results": [{k: v for k, v in asdict(row).items() if v is not None} for row in rows],
        "static": static,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


def compare(rows: list[Row], path: Path) -> list[tuple[str, ...]]:
    """Best time of each row now and in a saved run, and their ratio; rows of both only."""
    kept = json.loads(path.read_text())["results"]
    names = ("group", "operation", "implementation", "shape", "setting", "dtype", "mode")

    def name_of(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(json.dumps(row.get(name)) for name in names)

    before = {name_of(row): row["best_ms"] for row in kept if "best_ms" in row}
    table = []
    for row in rows:
        then = before.get(name_of(asdict(row)))
        if then and row.best_ms:
            name = " ".join(filter(None, (row.operation, row.implementation, row.mode, row.dtype)))
            shape = "x".join(map(str, row.shape or ()))
            ratio = row.best_ms / then
            table.append((name, shape, f"{then:.3f}", f"{row.best_ms:.3f}", f"{ratio:.2f}"))
    return table
