"""docs/zoo.md shows the zoo as it is: all entries, the weights and FLOPs of the code of today."""

import json
import re

import pytest

from benchmarks import zoo
from posezoo.registry import find

AGAIN = "run: python -m benchmarks.zoo, or with --tables where nothing is to be measured"
REPORT = json.loads(zoo.RESULTS.read_text(encoding="utf-8"))
ROWS = {row["key"]: row for row in REPORT["results"]}


def shown() -> list[str]:
    """The keys of the page's lines."""
    return re.findall(r"^\| \w+ \| `(.+?)` \|", _between_markers(zoo.PAGE), re.M)


def _between_markers(page) -> str:
    text = page.read_text(encoding="utf-8")
    return text.partition(zoo.BEGIN)[2].partition(zoo.END)[0]


def test_the_page_is_made_of_the_results() -> None:
    assert _between_markers(zoo.PAGE) == zoo.table(REPORT, shown()), AGAIN


def test_the_page_has_entries_of_today_in_the_zoo_s_order_and_all_that_were_measured() -> None:
    """A new entry comes into the table when somebody writes it anew, and is blank until then."""
    today = [entry.key for entry in zoo.built_ins()]
    assert shown() == [key for key in today if key in shown()], AGAIN
    assert set(ROWS) <= set(shown()), AGAIN


@pytest.mark.parametrize("key", ROWS)
def test_weights_and_flops_are_those_of_today_s_code(key) -> None:
    row = {name: ROWS[key][name] for name in ("weights", "flops")}
    assert row == zoo.static_columns(find(None, key)), AGAIN


def test_what_info_shows_at_once_is_what_the_code_says() -> None:
    assert json.loads(zoo.CARDS.read_text(encoding="utf-8")) == zoo.cards(), AGAIN


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
    lines = zoo.table({"circumstances": where, "results": [row]}, ["x", "tcn"]).splitlines()
    assert (
        lines[0] == "Measured 2030-01-02 at commit abc: cpu, one thread, torch 2, load average 0.5."
    )
    assert lines[-2:] == [
        "| head | `x` | 1,234 | 2.5 M |  | 3 passed |",
        "| lifter | `tcn` |  |  |  |  |",
    ]
