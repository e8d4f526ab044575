"""The numbers of a report: what each variant's trainings gave, gathered from their folders."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from posezoo.evaluation.metric_table import COMPARED, ranking_metric
from posezoo.registry import parse_pipeline
from posezoo.report.definition import Row
from posezoo.report.trials import Trial, Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One variant of a row."""

    variant: str
    errors: dict[str, tuple[float, ...]]  # of each seed, on people never seen
    seen: dict[str, tuple[float, ...]]  # of each seed, on people trained on
    memory_mb: float
    items_per_s: float
    note: str  # why there are no numbers, or whose training this is

    def mean(self, name: str) -> float:
        """Over the seeds."""
        return statistics.fmean(self.errors[name])

    def gap(self, name: str) -> float:
        """How much worse it is on people never seen."""
        return self.mean(name) - statistics.fmean(self.seen[name])


def read_lines(trials: Trials, row: Row) -> list[Line]:
    """All variants of a row, with as many seeds as are done."""
    lines = []
    owners: dict[str, str] = {}
    for variant in row.variants:
        every = [trials.trial(row, variant, seed) for seed in range(trials.report.seeds)]
        done = [trial for trial in every if trial.done]
        failures = [trial.failure for trial in every if trial.failure]
        owner = owners.setdefault(every[0].run.path.name, variant)
        note = f"failed: {failures[0]}" if failures else ""
        if owner != variant:
            note = f"with this data the same training as {owner}"
        if trials.weights and _has_backbone(every[0]) and not trials.weights_for(every[0].settings):
            note = note or "from random weights"
        if not done:
            lines.append(_missing(variant, note or "not trained yet"))
            continue
        costs = [trial.read("cost") for trial in done]
        lines.append(
            Line(
                variant=variant,
                errors=_columns(done, "eval"),
                seen=_columns(done, "seen"),
                memory_mb=max(cost["memory_mb"] for cost in costs),
                items_per_s=max(cost["items_per_s"] for cost in costs),
                note=note,
            )
        )
    return lines


def metric(lines: Sequence[Line]) -> str:
    """What the row is judged by."""
    known = [line.errors for line in lines if line.errors]
    return (known and ranking_metric(*known)) or next(iter(COMPARED))


def to_csv(table: Sequence[tuple[Row, Sequence[Line]]]) -> str:
    """One line a seed, all digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    seen = [f"{name}_trained_on" for name in COMPARED]
    writer.writerow(
        ["row", "variant", "seed", *COMPARED, *seen, "memory_mb", "items_per_s", "note"]
    )
    for row, lines in table:
        for line in lines:
            seeds = max((len(values) for values in line.errors.values()), default=0)
            costs = [f"{line.memory_mb:.1f}", f"{line.items_per_s:.1f}"] if seeds else ["", ""]
            for seed in range(max(1, seeds)):
                cells = [
                    values[name][seed] if name in values else ""
                    for values in (line.errors, line.seen)
                    for name in COMPARED
                ]
                writer.writerow([row.key, line.variant, seed, *cells, *costs, line.note])
    return file.getvalue()


def _columns(done: Sequence[Trial], file: str) -> dict[str, tuple[float, ...]]:
    found = [trial.read(file) for trial in done]
    true_2d = not _has_backbone(done[0])
    names = [n for n in COMPARED if n in found[0] and not (n == "error_2d_px" and true_2d)]
    return {name: tuple(each[name] for each in found) for name in names}


def _has_backbone(trial: Trial) -> bool:
    return parse_pipeline(trial.settings.pipeline).backbone is not None


def _missing(variant: str, note: str) -> Line:
    return Line(variant=variant, errors={}, seen={}, memory_mb=0, items_per_s=0, note=note)
