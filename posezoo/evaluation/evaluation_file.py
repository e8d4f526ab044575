"""eval.json, and what `posezoo eval --json` prints: the table of one evaluation, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Required, TypedDict

from posezoo.evaluation.bootstrap import Cells
from posezoo.evaluation.metric_table import METRICS
from posezoo.typed_files import Count, decode, typed


class _Protocol(TypedDict):
    key: str
    hash: str


class _Table(TypedDict, total=False):
    """As far as it is read; what else stands there is left alone."""

    protocol: Required[_Protocol]
    samples: Required[Count]
    data: Required[str]
    pipeline: str
    items: str
    flip: bool
    seen_people: list[str] | None
    ground_truth_inputs: list[str]
    interval: dict[str, tuple[float, float]]
    cells: dict[str, Cells]
    per_joint: dict[str, dict[str, float]]


def read_evaluation(path: Path) -> dict[str, Any]:
    """The table as it stands in the file, with the kinds of its values compared.

    Raises:
        ValueError: it is no such table; one line.
        OSError: it cannot be read.
    """
    expected = "an evaluation of posezoo"
    table = decode(path, dict[str, Any], expected=expected, nan=True)
    typed(table, _Table, where=str(path), expected=expected)
    errors = {key: table[key] for key in METRICS if key in table}
    typed(errors, dict[str, float], where=str(path), expected=expected)
    return table
