"""Reads the measured results that cards show: what `python -m benchmarks.equal_budget` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from posezoo.cli.benchmarks import benchmarks_folder

FILES = ("lifters.json", "heads.json")
COLUMNS = ("entry", "value", "unit", "metric", "data", "steps", "protocol", "commit")


def read_results(*paths: Path) -> list[dict[str, Any]]:
    """One row for each result of those files, or of the zoo's own that are there.

    Raises:
        ValueError: a row does not say what it was measured on, and how.
    """
    if not paths and (folder := benchmarks_folder()):
        paths = tuple(folder / "results" / name for name in FILES)
    found: list[dict[str, Any]] = []
    for path in paths:
        if not path.is_file():
            continue
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
        for number, row in enumerate(rows, 1):
            if missing := [name for name in COLUMNS if not row.get(name)]:
                raise ValueError(f"{path}: result {number} lacks {', '.join(missing)}")
        found += rows
    return found
