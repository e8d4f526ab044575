"""What the trials of a study gave."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from posezoo.evaluation.bootstrap import Cells, paired
from posezoo.evaluation.evaluation_file import read_evaluation
from posezoo.evaluation.metric_table import COMPARED, METRICS, ranking_metric
from posezoo.sweep.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One finished trial."""

    number: int  # from 1
    point: dict[str, str]
    errors: dict[str, tuple[float, ...]]  # of each seed; empty where it was stopped or failed
    note: str  # why there are none
    items: str = ""  # a hash of what every seed was evaluated on; "" if they differ
    cells: dict[str, Cells] = field(default_factory=dict)  # errors by sequence, over the seeds

    def worse_than(self, best: Row, metric: str) -> tuple[float, float] | None:
        """The 95 % interval of by how much, over the same sequences; None of other poses."""
        if not self.items or self.items != best.items:
            return None
        if not METRICS[metric].higher_is_better:
            return paired(self.cells[metric], best.cells[metric])
        return paired(best.cells[metric], self.cells[metric])

    def mean(self, name: str) -> float:
        """Over the seeds."""
        return statistics.fmean(self.errors[name])

    def spread(self, name: str) -> float | None:
        """Standard deviation over the seeds; None of a single one."""
        values = self.errors[name]
        return statistics.stdev(values) if len(values) > 1 else None


def read_rows(study: Study) -> list[Row]:
    """The finished trials, in the order in which they were begun."""
    rows = []
    for trial in study.trials:
        if not trial.state.is_finished():
            continue
        results = trial.user_attrs.get("results", [])
        names = [name for name in COMPARED if results and all(name in each for each in results)]
        items, cells = _by_sequence(study.runs(trial.number)) if results else ("", {})
        rows.append(
            Row(
                items=items,
                cells=cells,
                number=trial.number + 1,
                point=study.point(trial),
                errors={name: tuple(each[name] for each in results) for name in names},
                note=trial.user_attrs.get("note", ""),
            )
        )
    return rows


def _by_sequence(runs: Sequence[Path]) -> tuple[str, dict[str, Cells]]:
    """What the seeds of a trial were evaluated on, and their mean errors by sequence."""
    files = [run / "eval.json" for run in runs]
    found = [read_evaluation(file) for file in files if file.is_file()]
    items = {each.get("items", "") for each in found}
    if len(items) != 1 or "" in items:
        return "", {}
    names = found[0]["cells"]
    pooled = {n: Cells.pooled([Cells.read(each["cells"][n]) for each in found]) for n in names}
    return items.pop(), pooled


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Those that have numbers, the best mean first."""
    metric = metric_of(rows)
    if metric is None:
        return []
    able = [row for row in rows if metric in row.errors]
    return sorted(able, key=lambda row: METRICS[metric].loss(row.mean(metric)))


def metric_of(rows: Sequence[Row]) -> str | None:
    """What they are ranked by."""
    return ranking_metric(*(row.errors for row in rows), any_of=True)
