"""What the trials of a study gave."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from posezoo.evaluation.metric_table import COMPARED, METRICS, ranking_metric
from posezoo.sweep.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One finished trial."""

    number: int  # from 1
    point: dict[str, str]
    errors: dict[str, tuple[float, ...]]  # of each seed; empty where it was stopped or failed
    note: str  # why there are none

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
        names = [name for name in COMPARED if results and name in results[0]]
        rows.append(
            Row(
                number=trial.number + 1,
                point=study.point(trial),
                errors={name: tuple(each[name] for each in results) for name in names},
                note=trial.user_attrs.get("note", ""),
            )
        )
    return rows


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
