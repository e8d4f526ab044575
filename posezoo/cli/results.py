"""Reads what cards show of measurements and counts: files that `benchmarks` has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from posezoo.cli.benchmarks import benchmarks_folder
from posezoo.typed_files import decode, typed

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
        rows = decode(path, dict[str, Any]).get("results")
        rows = typed(rows, list[dict[str, Any]], where=f"{path}: results")
        for number, row in enumerate(rows, 1):
            if missing := [name for name in COLUMNS if not row.get(name)]:
                raise ValueError(f"{path}: result {number} lacks {', '.join(missing)}")
        found += rows
    return found


def read_code_cards() -> dict[str, dict[str, Any]]:
    """What the code says of the zoo's own entries with default arguments, by key.

    `python -m benchmarks.zoo --tables` writes them, and a test asks the code again: to do so takes
    torch, and torch takes longer to load than a reader waits.
    """
    folder = benchmarks_folder()
    path = folder and folder / "results" / "cards.json"
    if path is None or not path.is_file():
        return {}
    return decode(path, dict[str, dict[str, Any]])
