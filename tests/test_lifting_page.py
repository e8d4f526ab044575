"""The tables of docs/lifting.md are those of the results."""

import json

import pytest

from benchmarks import lifters_alike, lifters_in_use, page_blocks
from posezoo.evaluation.protocol import find_protocol
from posezoo.registry import parse_pipeline


def test_the_page_is_made_of_the_results() -> None:
    report = json.loads(lifters_in_use.RESULTS.read_text(encoding="utf-8"))
    page = lifters_in_use.PAGE.read_text(encoding="utf-8")
    shown = page.partition(lifters_in_use.BEGIN)[2].partition(lifters_in_use.END)[0]
    assert shown == lifters_in_use.tables(report), "run: python -m benchmarks.lifters_in_use RUN..."


@pytest.mark.parametrize(("study", "name"), lifters_alike.STUDIES.items())
def test_the_tables_of_trainings_are_made_of_the_results(study: str, name: str) -> None:
    shown = page_blocks.read(lifters_in_use.PAGE, name)
    path = page_blocks.RESULTS / f"{name}.json"
    if not path.is_file():
        assert shown.strip() == page_blocks.NOT_YET
        return
    lines = lifters_alike.table(json.loads(path.read_text(encoding="utf-8")))
    again = f"run: python -m benchmarks.lifters_alike {study} ..."
    assert shown == "".join(f"{line}\n" for line in lines), again


def test_every_training_of_the_tables_is_one_that_there_is() -> None:
    studied = [*lifters_alike.lifters(), *lifters_alike.choices()]
    assert len({each.name for each in studied}) == len(studied)
    for each in studied:
        parse_pipeline(each.spec)
    for key, _ in lifters_alike.PROTOCOLS.values():
        find_protocol(key)
    names = vars(lifters_alike.anylift) | vars(lifters_alike._anylift_view)
    assert all(name in names for each in studied for name in each.undone)


def test_a_row_has_the_mean_and_spread_of_its_seeds_and_blanks_where_it_could_not_be_told() -> None:
    errors = {"mpjpe_mm": 40.0, "pa_mpjpe_mm": 30.0, "mean_pose_mpjpe_mm": 270.0, "mpjve_mm": 50.0}
    seeds = [{name: errors | {"mpjpe_mm": 40.0 + n} for name in ("any", "noisy")} for n in (0, 2)]
    where = {
        "date": "2026-11-30T",
        "commit": "c",
        "device": "d",
        "load_average": None,
        "torch": "t",
    }
    row = {"name": "tcn:frames=27", "weights": 1234, "poses": 76800, "seeds": seeds}
    row |= {"commit": "0123456789ab", "device": "AMD EPYC, 2 cores"}
    report = {"circumstances": where, "tested": 600, "results": [row]}
    cells = [cell.strip() for cell in lifters_alike.table(report)[-1].split("|")]
    assert cells[1:4] == ["`tcn:frames=27`", "1,234", ""]
    assert cells[4] == "41.0 ± 1.4" and cells[-5:-1] == ["30.0", "50", "", "0123456, AMD EPYC"]
