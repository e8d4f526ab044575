"""A page to which rows are added: what it shows beside the rows that are trained now."""

from __future__ import annotations

import json
from dataclasses import replace

from posezoo.report.definition import Report
from posezoo.report.page import plain_data
from posezoo.report.trials import Trials


def merged(chosen: Trials, whole: Report) -> Trials:
    """The trials that the page is to show: those chosen, and those of other rows in the folder.

    Raises:
        ValueError: the page in the folder is of another scale, data or seeds, or shows rows whose
            trainings are not there: a page without them would take its place.
    """
    everything = chosen.of(whole)
    begun = {trial.row.key for trial in everything if trial.done or trial.failure}
    shown = begun | {row.key for row in chosen.report.rows}
    _refuse_loss(chosen, shown)
    rows = tuple(row for row in whole.rows if row.key in shown)
    return chosen.of(replace(whole, rows=rows))


def _refuse_loss(chosen: Trials, shown: set[str]) -> None:
    file = chosen.folder / "report.json"
    if not file.is_file():
        return
    kept, report = json.loads(file.read_text(encoding="utf-8")), chosen.report
    own = {"scale": report.scale, "data": plain_data(report.data), "seeds": report.seeds}
    for name, value in own.items():
        if kept[name] != value:
            raise ValueError(
                f"{chosen.folder} holds a page of {name} {kept[name]}, and this row would be of "
                f"{value}: say the same, or give another --out"
            )
    if lost := [key for key in kept["verdicts"] if key not in shown]:
        raise ValueError(
            f"{chosen.folder} holds a page with {len(lost)} rows whose trainings are not there "
            f"({', '.join(lost[:3])}{', ...' * (len(lost) > 3)}): it would be written without "
            "them; give another --out"
        )
