"""One panel for each setting that a study varied: the error of every trial over its value."""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from posezoo.sweep.definition import Axis
from posezoo.training.run_folder import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from posezoo.sweep.results import Row

_WIDE = 30.0  # a setting whose values differ by such a factor is drawn over a logarithmic axis


def draw(axes: Sequence[Axis], rows: Sequence[Row], metric: str, label: str, path: Path) -> None:
    """Points: mean and spread over the seeds of a trial. Line: mean over trials of one value."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only drawing needs it

    known = [row for row in rows if metric in row.errors]
    figure = Figure(figsize=(4.2 * len(axes), 3.4), layout="constrained")
    for panel, axis in zip(figure.subplots(1, len(axes), squeeze=False)[0], axes, strict=True):
        places = _places(panel, axis, known)
        for place, row in zip(places, known, strict=True):
            spread = row.spread(metric) or 0.0
            panel.errorbar(place, row.mean(metric), spread, fmt="o", color="#4575b4", capsize=3)
        if axis.values:
            levels = sorted(set(places))
            means = [
                statistics.fmean(
                    row.mean(metric) for p, row in zip(places, known, strict=True) if p == level
                )
                for level in levels
            ]
            panel.plot(levels, means, color="#d73027", linewidth=1)
        panel.set_xlabel(axis.name)
        panel.set_ylabel(label)
    file = io.BytesIO()
    figure.savefig(file, dpi=90, format="png")
    write_atomically(path, file.getvalue())


def _places(panel: Axes, axis: Axis, rows: Sequence[Row]) -> list[float]:
    """Where each row stands on the x axis: its number, or the place of its word in the list."""
    texts = [row.point[axis.name] for row in rows]
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        panel.set_xticks(range(len(axis.values)), axis.values)
        return [float(axis.values.index(text)) for text in texts]
    if min(numbers) > 0 and max(numbers) > _WIDE * min(numbers):
        panel.set_xscale("log")
    return numbers
