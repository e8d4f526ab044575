"""Reads the measured results that cards show: what `python -m benchmarks.lifters` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from posezoo.cli.benchmarks import benchmarks_folder

COLUMNS = ("entry", "value", "unit", "metric", "data", "steps", "protocol", "commit")


def read_results(path: Path | None = None) -> list[dict[str, Any]]:
    """One row for each result; none where there is no file.

    Raises:
        ValueError: a row does not say what it was measured on, and how.
    """
    if path is None:
        folder = benchmarks_folder()
        if folder is None:
            return []
        path = folder / "results" / "lifters.json"
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
    for number, row in enumerate(rows, 1):
        if missing := [name for name in COLUMNS if not row.get(name)]:
            raise ValueError(f"{path}: result {number} lacks {', '.join(missing)}")
    return rows
