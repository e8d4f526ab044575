"""A page to which rows are added: what it shows beside the rows that are trained now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from posezoo.report.definition import Report
from posezoo.report.page import plain_data
from posezoo.report.trials import Trials
from posezoo.typed_files import decode


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


class _Page(msgspec.Struct):
    """report.json, as far as it is read."""

    scale: str
    data: str
    seeds: int
    verdicts: dict[str, Any]


def _refuse_loss(chosen: Trials, shown: set[str]) -> None:
    file = chosen.folder / "report.json"
    if not file.is_file():
        return
    kept, report = decode(file, _Page, nan=True), chosen.report
    own = {"scale": report.scale, "data": plain_data(report.data), "seeds": report.seeds}
    for name, value in own.items():
        if getattr(kept, name) != value:
            raise ValueError(
                f"{chosen.folder} holds a page of {name} {getattr(kept, name)}, and this row would "
                f"be of {value}: say the same, or give another --out"
            )
    if lost := [key for key in kept.verdicts if key not in shown]:
        raise ValueError(
            f"{chosen.folder} holds a page with {len(lost)} rows whose trainings are not there "
            f"({', '.join(lost[:3])}{', ...' * (len(lost) > 3)}): it would be written without "
            "them; give another --out"
        )
