"""Tables of a page, each between two markers that name it, written anew from a results file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import measure

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SPEED, SCALE = ROOT / "docs" / "speed.md", ROOT / "docs" / "scale.md"
NOT_YET = "Not measured yet."


def save(name: str, results: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Write `results/NAME.json` with its circumstances, and give back what was written."""
    report = {"circumstances": measure.circumstances(torch.device(device)), **results}
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def load(name: str) -> dict[str, Any]:
    """What `save` wrote last."""
    report: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return report


def write(page: Path, name: str, lines: Iterable[str]) -> None:
    """Put lines between the markers of `name`.

    Raises:
        ValueError: the page has no such markers.
    """
    text, (begin, end) = page.read_text(encoding="utf-8"), _markers(name)
    if begin not in text or end not in text:
        raise ValueError(f"{page}: lacks the lines {begin.strip()} and {end}")
    before, _, rest = text.partition(begin)
    inside = "".join(f"{line}\n" for line in lines)
    page.write_text(before + begin + inside + end + rest.partition(end)[2], encoding="utf-8")


def read(page: Path, name: str) -> str:
    """What stands between the markers of `name`."""
    begin, end = _markers(name)
    return page.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column left, numbers right."""
    rule = "|---|" + "--:|" * (len(headings) - 1)
    return [f"| {' | '.join(headings)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def where(report: dict[str, Any]) -> str:
    """Date, commit, hardware and versions, in a line."""
    at = report["circumstances"]
    load = at["load_average"]
    beside = f", load average {load:.1f}" if load is not None else ""
    return f"{at['date'][:10]}, commit {at['commit']}, {at['device']}{beside}, torch {at['torch']}."


def ratio(values: Sequence[float]) -> str:
    """The median, and the least and the greatest."""
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    return f"{middle:.2f} ({ordered[0]:.2f} to {ordered[-1]:.2f})"


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
