"""The measurements that explain rows: which there are, and how their numbers are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from posezoo.report.definition import Row
from posezoo.report.measurements import (
    codec,
    detections,
    map_height,
    relative_step,
    shared_gradient,
)
from posezoo.report.trials import POSES, Trial, Trials

_OF_PEOPLE = {"px": ("2D px", ".2f"), "missed": ("missed", "%")}
_OF_PEOPLE |= {"mpjpe_mm": ("MPJPE", ".1f"), "on_true_mm": ("MPJPE on true 2D", ".1f")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A function of one training, and the columns of its numbers."""

    measure: Callable[[Trial], Any]
    about: str
    columns: dict[str, tuple[str, str]]  # attribute -> heading and format


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The numbers of a row's variants (seed 0), and what they are."""

    experiment: Experiment
    numbers: dict[str, tuple[float | None, ...]]  # by variant, in the order of the columns

    @property
    def headings(self) -> list[str]:
        """Of `lines`."""
        return ["variant", *(heading for heading, _ in self.experiment.columns.values())]

    @property
    def lines(self) -> list[list[str]]:
        """The numbers as they are printed."""
        formats = [form for _, form in self.experiment.columns.values()]
        return [
            [variant, *(_text(*each) for each in zip(values, formats, strict=True))]
            for variant, values in self.numbers.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """As the report keeps it: all digits."""
        lines = [[variant, *values] for variant, values in self.numbers.items()]
        return {"about": self.experiment.about, "headings": self.headings, "lines": lines}


def explain(trials: Trials, row: Row) -> Measurement:
    """Measure the first training of each variant that has been trained."""
    experiment = EXPERIMENTS[row.measure]
    columns = [attrgetter(name) for name in experiment.columns]
    numbers = {}
    for variant in row.variants:
        trial = trials.trial(row, variant, 0)
        if trial.done:
            found = experiment.measure(trial)
            numbers[variant] = tuple(column(found) for column in columns)
    return Measurement(experiment=experiment, numbers=numbers)


def _text(value: float | None, form: str) -> str:
    if value is None:
        return "none"
    return f"{100 * value:.{2 if value < 0.01 else 1}f} %" if form == "%" else f"{value:{form}}"


EXPERIMENTS = {
    "relative_step": Experiment(
        measure=relative_step.measure,
        about="Norm of the weight between two hidden layers of 1024, as the forward pass uses it; "
        f"how far it moves in one step, median of steps {relative_step.WARM} to "
        f"{relative_step.WARM + relative_step.STEPS}; spread of the last {relative_step.LAST} "
        "logged training losses about a straight line, over their mean.",
        columns={
            "norm": ("norm of W", ".1f"),
            "step": ("step / W", "%"),
            "wobble": ("wobble of the loss", "%"),
        },
    ),
    "map_height": Experiment(
        measure=map_height.measure,
        about="Height of the predicted maps' peaks over the true ones', and how much the maps vary "
        "from picture to picture over how much the true ones do: near 0 is a network that has "
        "collapsed to one answer.",
        columns={"height": ("peak height", ".2f"), "variation": ("variation", ".2f")},
    ),
    "codec": Experiment(
        measure=codec.measure,
        about="2D error of perfect maps in px, the same at the true depth in mm (root-relative, so "
        "no lifter can be better), and the trained network's 2D error.",
        columns={
            "floor_px": ("floor px", ".2f"),
            "floor_mm": ("floor mm", ".1f"),
            "trained_px": ("trained px", ".2f"),
        },
    ),
    "shared_gradient": Experiment(
        measure=shared_gradient.measure,
        about="Gradient of the 3D loss at the backbone over that of the weighted 2D loss, and the "
        "cosine between them; 2D error; MPJPE from predicted 2D joints and from true ones, for "
        f"{POSES} poses of people never seen.",
        columns={
            "ratio": ("g3D / g2D", ".3f"),
            "cosine": ("cosine", ".2f"),
            "px": ("2D px", ".2f"),
            "mpjpe_mm": ("MPJPE", ".1f"),
            "on_true_mm": ("MPJPE on true 2D", ".1f"),
        },
    ),
    "detections": Experiment(
        measure=detections.measure,
        about=f"On people trained on and on people never seen ({POSES} poses each): 2D error, "
        f"joints further off than {detections.MISSED} of the person's size, MPJPE from predicted "
        "and from true 2D joints; largest rise of the MPJPE between two evaluations of the "
        "training, mm.",
        columns={
            **{f"seen.{k}": (f"{name}, trained on", f) for k, (name, f) in _OF_PEOPLE.items()},
            **{f"unseen.{k}": (f"{name}, unseen", f) for k, (name, f) in _OF_PEOPLE.items()},
            "largest_rise_mm": ("largest rise", ".1f"),
        },
    ),
}
