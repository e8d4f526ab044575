"""docs/report is a whole run of today's rows: numbers, verdicts and pictures belong together."""

import csv
import json
import re
from pathlib import Path

from posezoo.report.definition import read_report

FOLDER = Path(__file__).parents[2] / "docs" / "report"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
KEPT = json.loads((FOLDER / "report.json").read_text(encoding="utf-8"))
ROWS = {row.key: row for row in read_report(KEPT["scale"]).rows}
AGAIN = "run posezoo report anew and copy its files to docs/report"


def test_every_row_has_a_section_and_its_claim():
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == ["Summary", *ROWS], AGAIN
    assert all(row.claim in PAGE for row in ROWS.values()), AGAIN


def test_the_summary_has_the_verdicts_of_the_data():
    summary = PAGE.partition("## Summary")[2].partition("## ")[0]
    found = dict(re.findall(r"^\| [\d.]+ \| (.+?) \| (.+?) \| .*\|$", summary, re.MULTILINE))
    assert found == {ROWS[key].claim: answer for key, answer in KEPT["verdicts"].items()}, AGAIN


def test_every_variant_has_numbers():
    lines = csv.DictReader((FOLDER / "table.csv").read_text(encoding="utf-8").splitlines())
    measured = {(line["row"], line["variant"]) for line in lines if line["memory_mb"]}
    assert measured == {(row.key, name) for row in ROWS.values() for name in row.variants}, AGAIN


def test_the_pictures_are_there_and_no_folder_of_somebody_s_machine():
    for name in re.findall(r"\]\((.+?\.png)\)", PAGE):
        assert (FOLDER / name).is_file(), AGAIN
    assert not re.search(r"[=,/](home|tmp|root|work)/", PAGE)
