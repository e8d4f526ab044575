"""Loss and errors of a run over its steps, from `metrics.jsonl`."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

from posezoo.drawing import save_figure
from posezoo.evaluation.metric_table import METRICS
from posezoo.training.run_folder import RunFolder

_COLOURS = ("#4575b4", "#d73027", "#1a9850", "#762a83", "#8c510a", "#6b6b6b")
_FEW, _WIDE = 30, 10.0  # points that are marked; a factor that calls for a logarithmic axis
Points = list[tuple[int, float]]  # step, value


def draw_curves(run: RunFolder) -> Path | None:
    """Draw `figures/curves.png`: the losses, and the errors that the console tells of, by unit.

    None where nothing was logged: a run of fewer steps than a line needs.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only drawing needs it

    panels = panels_of(run.records())
    if not panels:
        return None
    figure = Figure(figsize=(4.4 * len(panels), 3.3), layout="constrained")
    for panel, title in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        every: list[float] = []
        for (name, points), colour in zip(panels[title].items(), cycle(_COLOURS), strict=False):
            steps, values = zip(*points, strict=True)
            marker = "o" if len(steps) < _FEW else ""
            panel.plot(steps, values, color=colour, linewidth=1.2, marker=marker, ms=3, label=name)
            every += values
        if min(every) > 0 and max(every) > _WIDE * min(every):
            panel.set_yscale("log")
        panel.set(xlabel="step", title=title)
        panel.grid(linewidth=0.3)
        panel.legend(fontsize=8)
    run.figures.mkdir(exist_ok=True)
    path = run.figures / "curves.png"
    save_figure(figure, path)
    return path


def panels_of(records: list[dict[str, Any]]) -> dict[str, dict[str, Points]]:
    """Points by panel and name. The sum of losses is left out where it is one loss only."""
    found: dict[str, dict[str, Points]] = {}
    for record in records:
        step = record["step"]
        for key, value in _numbers(record):
            if key == "loss" or key.startswith("loss_"):
                found.setdefault("training loss", {}).setdefault(key[5:] or "sum", []).append(
                    (step, value)
                )
        for key, value in _numbers(record.get("val")):
            if (metric := METRICS.get(key)) and metric.progress:
                title = f"error on the val split, {metric.unit}"
                found.setdefault(title, {}).setdefault(metric.name, []).append((step, value))
    losses = found.get("training loss", {})
    if len(losses) == 2:
        losses.pop("sum", None)
    return found


def _numbers(record: Any) -> list[tuple[str, float]]:
    """What of it can be drawn; of something that is no record, nothing."""
    values = record.items() if isinstance(record, dict) else ()
    return [(name, float(value)) for name, value in values if isinstance(value, int | float)]
