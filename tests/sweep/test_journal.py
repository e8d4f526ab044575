"""A journal that Optuna did not write, or that has lost something, is refused in one line."""

import json

import pytest

pytest.importorskip("optuna")

from posezoo.sweep.definition import Axis, Sweep
from posezoo.sweep.study import Study

SWEEP = Sweep(
    pipeline="martinez", strategy=None, data=None, preset=None, changes={}, epochs=None,
    axes=(Axis.grid("lr=1e-3,1e-4"),), trials=0, seeds=1, prune=False, device="cpu",
)  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    """Of a study with a finished trial and a begun one."""
    study = Study(tmp_path, SWEEP)
    with study.claim() as claim:
        claim.finish([{"mpjpe_mm": 50.0}], 50.0)
    with study.claim():
        pass
    return tmp_path / "study.journal"


def changed(journal, wanted, change):
    """The first line that has those words, changed as a dict."""
    lines = journal.read_text().splitlines()
    place = next(k for k, line in enumerate(lines) if wanted in line)
    content = json.loads(lines[place])
    change(content)
    lines[place] = json.dumps(content)
    journal.write_text("".join(f"{line}\n" for line in lines))


def test_a_study_is_opened_as_it_was_left(journal):
    study = Study(journal.parent)
    assert study.sweep == SWEEP
    assert [trial.state.is_finished() for trial in study.trials] == [True, False]


@pytest.mark.parametrize(
    ("wanted", "change", "words"),
    [
        (
            '"user_attr"',
            lambda line: line["user_attr"]["sweep"].update(seeds="two"),
            r"sweep: seeds",
        ),
        ('"user_attr"', lambda line: line["user_attr"]["sweep"].update(axes=[]), "varies nothing"),
        ('"distributions"', lambda line: line.update(params={}), r"trial 0 is of nothing"),
        ('"distributions"', lambda line: line.update(op_code=99), "damaged"),
        ('"distributions"', lambda line: line.pop("study_id"), "damaged"),
        ('"results"', lambda line: line["user_attr"].update(results="x"), "trial 0: results"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(journal, wanted, change, words):
    changed(journal, wanted, change)
    with pytest.raises(ValueError, match=words) as error:
        Study(journal.parent)
    assert str(journal) in str(error.value) and str(error.value).isprintable()


def test_a_last_line_that_is_no_json_is_found_before_another_follows_it(journal):
    with journal.open("a") as file:
        file.write('{"op_code": 5, \n')
    with pytest.raises(ValueError, match=r"study\.journal: line \d+: cut or damaged, not JSON"):
        Study(journal.parent)


def test_a_line_that_was_half_written_is_cut_off(journal):
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 5, "wor')
    Study(journal.parent)
    assert journal.read_bytes() == whole
