"""The figures of a report: heatmaps, curves, and the error of each joint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from posezoo.drawing import save_figure
from posezoo.evaluation.figures import draw_overlays
from posezoo.evaluation.metric_table import METRICS, ranking_metric
from posezoo.report.definition import Row
from posezoo.report.trials import Trial, Trials

if TYPE_CHECKING:
    pass

_COLOURS = ("#4575b4", "#d73027", "#1a9850", "#fdae61", "#762a83", "#35978f", "#8c510a", "#999999")


def draw_all(trials: Trials) -> dict[str, str]:
    """Draw what the trained rows allow; title to file name."""
    drawn = {}
    for row in trials.report.rows:
        done = _first_seeds(trials, row)
        if row.key == "scenario" and done:
            _per_joint(done, trials.folder / "joints.png")
            drawn["error of each joint, by training scenario"] = "joints.png"
            draw_overlays(done[-1].run, trials.folder / "heatmaps.png")
            drawn["heatmaps: true, predicted, and both"] = "heatmaps.png"
        if row.key in ("max-norm", "scenario") and done:
            name = f"curves-{row.key}.png"
            _curves(done, trials.folder / name)
            drawn[f"training loss and error on people never seen: {row.key}"] = name
    return drawn


def _first_seeds(trials: Trials, row: Row) -> list[Trial]:
    every = (trials.trial(row, variant, 0) for variant in row.variants)
    return [trial for trial in every if trial.done]


def _curves(done: Sequence[Trial], path: Path) -> None:
    """Left: the sum of the training losses. Right: the error on the val people."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only drawing needs it

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, trial in enumerate(done):
        records = trial.records()
        colour = _COLOURS[number % len(_COLOURS)]
        style = {"color": colour, "linestyle": "--" if number >= len(_COLOURS) else "-"}
        losses = [r for r in records if "loss" in r]
        left.plot([r["step"] for r in losses], [r["loss"] for r in losses], **style)
        tested = [r for r in records if "val" in r]
        metric = METRICS[ranking_metric(tested[0]["val"]) or ""]
        errors = [r["val"][metric.key] for r in tested]
        right.plot([r["step"] for r in tested], errors, label=trial.variant, **style)
    left.set(xlabel="step", ylabel="training loss", yscale="log")
    right.set(xlabel="step", ylabel=metric.label)
    figure.legend(loc="outside right upper", fontsize=8)
    save_figure(figure, path)


def _per_joint(done: Sequence[Trial], path: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    axis = figure.subplots()
    joints = list(done[0].read("eval")["per_joint"])
    width = 0.8 / len(done)
    for number, trial in enumerate(done):
        errors = trial.read("eval")["per_joint"]
        places = torch.arange(len(joints)) + (number - (len(done) - 1) / 2) * width
        heights = [errors[joint]["mpjpe_mm"] for joint in joints]
        axis.bar(places.tolist(), heights, width, label=trial.variant, color=_COLOURS[number])
    axis.set_xticks(range(len(joints)), joints, rotation=45, ha="right", fontsize=8)
    axis.set_ylabel(METRICS["mpjpe_mm"].label)
    figure.legend(loc="outside right upper", fontsize=8)
    save_figure(figure, path)
