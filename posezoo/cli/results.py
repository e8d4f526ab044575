"""Reads the measured results that cards show: rows of `posezoo/results.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[1] / "results.toml"
_COLUMNS = {
    "entry": (str,),  # a key or a pipeline
    "protocol": (str,),
    "data": (str,),
    "metric": (str,),
    "value": (int, float),
    "unit": (str,),
    "commit": (str,),
}


def read_results(path: Path = _FILE) -> list[dict[str, Any]]:
    """One row for each [[result]]; none where there is no file.

    Raises:
        ValueError: the file is no TOML, or a row lacks a column or has one too many.
    """
    if not path.is_file():
        return []
    try:
        rows: list[dict[str, Any]] = tomllib.loads(path.read_text()).get("result", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from error
    for number, row in enumerate(rows, 1):
        wrong = row.keys() ^ _COLUMNS.keys() or {
            name for name, kinds in _COLUMNS.items() if not isinstance(row[name], kinds)
        }
        if wrong:
            raise ValueError(
                f"{path}: [[result]] {number}: {', '.join(sorted(wrong))}: expected "
                f"{', '.join(_COLUMNS)}, all text but the value"
            )
    return rows
