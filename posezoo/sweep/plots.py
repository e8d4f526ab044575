"""The error of every trial over each setting that a study varied, and over both where two were."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from posezoo.drawing import save_figure
from posezoo.evaluation.metric_table import METRICS
from posezoo.sweep.definition import Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from posezoo.sweep.results import Row

_WIDE = 30.0  # a range of such a factor is drawn over a logarithmic axis
_EVEN = 1e-3  # steps of a grid that are equal to this part of them are equal


def draw(axes: Sequence[Axis], rows: Sequence[Row], metric: str, label: str, path: Path) -> None:
    """Points: mean and spread over the seeds of a trial. Line: mean over trials of one value.

    Two settings that were varied together have a map of both beside their panels.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only drawing needs it

    known = [row for row in rows if metric in row.errors]
    both = len(axes) == 2 and all(axis.values for axis in axes)
    count = len(axes) + both
    figure = Figure(figsize=(4.2 * count, 3.4), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    for panel, axis in zip(panels, axes, strict=False):
        _over(panel, axis, known, metric)
        panel.set(xlabel=axis.name, ylabel=label)
    if both:
        _map(figure, panels[-1], axes, known, metric, label)
    save_figure(figure, path)


def _over(panel: Axes, axis: Axis, rows: Sequence[Row], metric: str) -> None:
    """The error over one setting."""
    places = _places(panel, axis, rows)
    for place, row in zip(places, rows, strict=True):
        spread = row.spread(metric) or 0.0
        panel.errorbar(place, row.mean(metric), spread, fmt="o", color="#4575b4", capsize=3)
    if axis.values:
        levels = sorted(set(places))
        means = [
            statistics.fmean(
                row.mean(metric) for p, row in zip(places, rows, strict=True) if p == level
            )
            for level in levels
        ]
        panel.plot(levels, means, color="#d73027", linewidth=1)


def _map(
    figure: Figure,
    panel: Axes,
    axes: Sequence[Axis],
    rows: Sequence[Row],
    metric: str,
    label: str,
) -> None:
    """The error at every point of a grid of two settings, in colour and digits; the best framed."""
    across, up = (_in_order(axis) for axis in axes)
    errors = [[math.nan] * len(across) for _ in up]
    for row in rows:
        place = up.index(row.point[axes[1].name]), across.index(row.point[axes[0].name])
        errors[place[0]][place[1]] = row.mean(metric)
    colours = "viridis" if METRICS[metric].higher_is_better else "viridis_r"
    image = panel.imshow(errors, cmap=colours, origin="lower", aspect="auto")
    best = min(rows, key=lambda row: METRICS[metric].loss(row.mean(metric)), default=None)
    for y, line in enumerate(errors):
        for x, error in enumerate(line):
            if not math.isnan(error):
                chosen = best is not None and error == best.mean(metric)
                frame = {"facecolor": "white", "alpha": 0.8, "lw": 2 * chosen, "pad": 2}
                panel.text(x, y, f"{error:.3g}", ha="center", va="center", fontsize=8, bbox=frame)
    panel.set_xticks(range(len(across)), across)
    panel.set_yticks(range(len(up)), up)
    panel.set(xlabel=axes[0].name, ylabel=axes[1].name)
    figure.colorbar(image, label=label)


def _in_order(axis: Axis) -> list[str]:
    """The values of a list, rising where they are numbers."""
    try:
        return sorted(axis.values, key=float)
    except ValueError:
        return [*axis.values]


def _places(panel: Axes, axis: Axis, rows: Sequence[Row]) -> list[float]:
    """Where each row stands on the x axis: its number, or the place of its word in the list."""
    texts = [row.point[axis.name] for row in rows]
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        panel.set_xticks(range(len(axis.values)), axis.values)
        return [float(axis.values.index(text)) for text in texts]
    if axis.log or _geometric(axis.values or numbers):
        panel.set_xscale("log")
        if axis.values:  # the values themselves, not powers of ten between them
            panel.set_xticks([float(each) for each in axis.values], axis.values)
            panel.minorticks_off()
    return numbers


def _geometric(values: Sequence[str] | Sequence[float]) -> bool:
    """Whether a logarithmic axis suits: equal factors in place of equal steps, or a wide range."""
    numbers = sorted({float(each) for each in values})
    if len(numbers) < 2 or numbers[0] <= 0:
        return False
    if numbers[-1] > _WIDE * numbers[0]:
        return True
    pairs = [*pairwise(numbers)]
    factors, steps = [b / a for a, b in pairs], [b - a for a, b in pairs]
    return len(pairs) > 1 and _even(factors) and not _even(steps)


def _even(numbers: Sequence[float]) -> bool:
    return max(numbers) - min(numbers) < _EVEN * max(numbers)
