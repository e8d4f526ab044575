"""The table of lifters in docs/training.md is that of the results, and of today's lifters."""

import json

from benchmarks import lifters

AGAIN = "run: python -m benchmarks.lifters --path FOLDER --cameras FILE"
REPORT = json.loads(lifters.RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_results() -> None:
    page = lifters.PAGE.read_text(encoding="utf-8")
    shown = page.partition(lifters.BEGIN)[2].partition(lifters.END)[0]
    assert shown == lifters.table(REPORT), AGAIN


def test_what_was_measured_still_exists() -> None:
    """A new lifter comes into the table when somebody who has the data measures it."""
    assert {row["entry"] for row in REPORT["results"]} <= set(lifters.specs()), AGAIN


def test_all_had_the_same_budget_and_were_judged_alike() -> None:
    for name in ("steps", "protocol", "data", "poses", "commit"):
        assert len({row[name] for row in REPORT["results"]}) == 1, AGAIN
