"""The table of lifters in docs/training.md is that of the results, and has all of them."""

import json

from benchmarks import lifters

AGAIN = "run: python -m benchmarks.lifters --path FOLDER --cameras FILE"
REPORT = json.loads(lifters.RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_results() -> None:
    page = lifters.PAGE.read_text(encoding="utf-8")
    shown = page.partition(lifters.BEGIN)[2].partition(lifters.END)[0]
    assert shown == lifters.table(REPORT), AGAIN


def test_every_lifter_was_measured_with_one_frame_and_27_where_it_can() -> None:
    assert [row["entry"] for row in REPORT["results"]] == list(lifters.specs()), AGAIN


def test_all_had_the_same_budget_and_were_judged_alike() -> None:
    for name in ("steps", "protocol", "data", "poses", "commit"):
        assert len({row[name] for row in REPORT["results"]}) == 1, AGAIN
