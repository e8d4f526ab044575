"""docs/zoo.md shows the zoo as it is: all entries, the weights and FLOPs of the code of today."""

import json

import pytest

from benchmarks import zoo
from posezoo.registry import find

AGAIN = "run: python -m benchmarks.zoo"
REPORT = json.loads(zoo.RESULTS.read_text(encoding="utf-8"))
ROWS = {row["key"]: row for row in REPORT["results"]}


def test_the_page_is_made_of_the_results() -> None:
    page = zoo.PAGE.read_text(encoding="utf-8")
    assert page.partition(zoo.BEGIN)[2].partition(zoo.END)[0] == zoo.table(REPORT), AGAIN


def test_the_page_has_every_entry_in_the_zoo_s_order() -> None:
    entries = [(entry.kind, entry.key) for entry in zoo.built_ins()]
    assert [(row["kind"], row["key"]) for row in REPORT["results"]] == entries, AGAIN


@pytest.mark.parametrize("entry", zoo.built_ins(), ids=lambda e: e.key)
def test_weights_and_flops_are_those_of_today_s_code(entry) -> None:
    row = ROWS.get(entry.key, {})
    found = {name: row.get(name) for name in ("weights", "flops")}
    assert found == zoo.static_columns(entry), AGAIN


def test_no_entry_of_the_page_fails_a_check() -> None:
    assert [row["key"] for row in REPORT["results"] if "failed" in row["checks"]] == []


def test_a_resnet_18_to_layer3_and_a_martinez_have_the_weights_that_can_be_counted_by_hand() -> (
    None
):
    assert zoo.static_columns(find("backbone", "resnet18"))["weights"] == 2_782_784
    linear = (34 * 1024 + 1024) + 4 * (1024 * 1024 + 1024) + (1024 * 51 + 51)
    norms = 5 * 2 * 1024
    martinez = zoo.static_columns(find("lifter", "martinez"))
    assert martinez["weights"] == linear + norms
    turn = 17 * 3 * 3  # of each joint's answer into the camera frame
    assert martinez["flops"] == 2 * (34 * 1024 + 4 * 1024 * 1024 + 1024 * 51 + turn)


def test_the_table_says_what_was_measured_and_leaves_out_what_was_not() -> None:
    where = {
        "date": "2030-01-02T03:04",
        "commit": "abc",
        "device": "cpu",
        "torch": "2",
        "load_average": 0.5,
    }
    row = {
        "kind": "head",
        "key": "x",
        "weights": 1234,
        "flops": 2_500_000,
        "ms": None,
        "checks": "3 passed",
    }
    lines = zoo.table({"circumstances": where, "results": [row]}).splitlines()
    assert (
        lines[0] == "Measured 2030-01-02 at commit abc: cpu, one thread, torch 2, load average 0.5."
    )
    assert lines[-1] == "| head | `x` | 1,234 | 2.5 M |  | 3 passed |"
