"""What the trials of a study gave."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from posezoo.sweep.study import Study
from posezoo.sweep.work import METRICS

ERRORS = {"mpjpe_mm": "MPJPE mm", "pa_mpjpe_mm": "PA-MPJPE mm", "error_2d_px": "2D error px"}


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
        names = [name for name in ERRORS if results and name in results[0]]
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
    """Those that have numbers, the least mean error first."""
    metric = metric_of(rows)
    able = [row for row in rows if metric in row.errors]
    return sorted(able, key=lambda row: row.mean(metric or ""))


def metric_of(rows: Sequence[Row]) -> str | None:
    """What they are ranked by: the first of `METRICS` that any of them has."""
    return next((name for name in METRICS if any(name in row.errors for row in rows)), None)
