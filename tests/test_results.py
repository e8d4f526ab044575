"""Committed figures say of which commit they are, and a tree with changes of its own is none."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks" / "results"
FILES = sorted(set(FOLDER.glob("*.json")) - {FOLDER / "cards.json"})  # which nobody measured
AGAIN = {"codec.json", "static.json"}  # marked on their page; to be measured again


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_results_are_of_a_commit(file: Path) -> None:
    commit = json.loads(file.read_text(encoding="utf-8"))["circumstances"]["commit"]
    assert commit.endswith("-dirty") == (file.name in AGAIN)


def test_pages_mark_what_is_to_be_measured_again() -> None:
    page = (ROOT / "docs" / "kernels.md").read_text(encoding="utf-8")
    assert "-dirty" not in page
    assert page.count("with uncommitted changes (to be measured again)") == len(AGAIN)
