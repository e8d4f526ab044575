"""The tables of lifters and heads in docs/training.md are those of the results, and of today."""

import json

import pytest

from benchmarks.equal_budget import BUDGETS, PAGE, specs, table

AGAIN = "run: python -m benchmarks.equal_budget KIND --path FOLDER --cameras FILE"
REPORTS = {
    kind: json.loads(budget.results.read_text(encoding="utf-8")) for kind, budget in BUDGETS.items()
}


@pytest.mark.parametrize("kind", BUDGETS)
def test_the_page_is_made_of_the_results(kind) -> None:
    begin, end = BUDGETS[kind].markers
    shown = PAGE.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    assert shown == table(REPORTS[kind]), AGAIN


@pytest.mark.parametrize("kind", BUDGETS)
def test_what_was_measured_still_exists(kind) -> None:
    """A new entry comes into the table when somebody who has the data measures it."""
    assert {row["entry"] for row in REPORTS[kind]["results"]} <= set(specs(BUDGETS[kind])), AGAIN


@pytest.mark.parametrize("kind", BUDGETS)
def test_all_had_the_same_budget_and_were_judged_alike(kind) -> None:
    for name in ("preset", "steps", "batch_size", "protocol", "data", "poses", "commit"):
        assert len({row[name] for row in REPORTS[kind]["results"]}) == 1, AGAIN
    assert {len(row["values"]) for row in REPORTS[kind]["results"]} == {3}, AGAIN


def test_a_head_that_gives_2d_joints_learns_with_a_lifter_and_one_that_gives_3d_alone() -> None:
    heads = set(specs(BUDGETS["heads"]))
    assert "resnet50:cut=layer2-dsnt:layers=1+martinez" in heads
    assert "resnet50:cut=layer2-bones" in heads
