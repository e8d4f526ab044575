"""The tables of docs/lifting.md are those of the results."""

import json

from benchmarks import lifters_in_use


def test_the_page_is_made_of_the_results() -> None:
    report = json.loads(lifters_in_use.RESULTS.read_text(encoding="utf-8"))
    page = lifters_in_use.PAGE.read_text(encoding="utf-8")
    shown = page.partition(lifters_in_use.BEGIN)[2].partition(lifters_in_use.END)[0]
    assert shown == lifters_in_use.tables(report), "run: python -m benchmarks.lifters_in_use RUN..."
