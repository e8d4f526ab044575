"""Rows as text, as JSON, and against an earlier run."""

from __future__ import annotations

import json
from collections.abc import Iterator
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


def cells(row: Row) -> tuple[str, ...]:
    note = "" if row.gate == "pass" else row.gate
    if row.value is not None:
        note = f"{row.value:.4g} {row.unit}"
    numbers = (
        *(row.best_ms, row.p20_ms, row.p50_ms, row.p80_ms, row.ratio, row.gbps),
        *(row.floor_us, row.copy_percent, row.kernels, row.moved_mb, row.peak_mb),
    )
    shape = "x".join(map(str, row.shape or ()))
    operation = ", ".join(filter(None, (row.operation, row.setting)))
    texts = (operation, row.implementation, shape, row.dtype or "", row.mode or "")
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
            *head,
            *(
                f"{values[name, 'mean error']:.2f} px "
                f"{values[name, 'mean error at true depth']:.1f} mm"
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

    def key(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(json.dumps(row.get(name)) for name in names)

    before = {key(row): row["best_ms"] for row in kept if "best_ms" in row}
    table = []
    for row in rows:
        then = before.get(key(asdict(row)))
        if then and row.best_ms:
            name = " ".join(filter(None, (row.operation, row.implementation, row.mode, row.dtype)))
            shape = "x".join(map(str, row.shape or ()))
            ratio = row.best_ms / then
            table.append((name, shape, f"{then:.3f}", f"{row.best_ms:.3f}", f"{ratio:.2f}"))
    return table
