import sys

import pytest

SMALL = ["--steps", 2, "--batch-size", 2, "--set", "data.items=4", "--set", "lifter.width=16"]


def test_a_sweep_ends_with_its_table_and_goes_on_without_being_told_again(invoke, tmp_path):
    pytest.importorskip("optuna")
    study = ["--study", tmp_path / "study"]
    result = invoke("sweep", "martinez", "--grid", "lr=1e-3,1e-2", *study, *SMALL)
    assert result.exit_code == 0, result.output
    assert "trial 2/2 lr=1e-2 seed 0: mpjpe_mm" in result.output
    assert "| 2 | 1e-2 |" in result.output
    for name in ("table.md", "table.csv", "table.html", "plot.png", "trials/001/seed0/run.toml"):
        assert (tmp_path / "study" / name).is_file()
    again = invoke("sweep", *study)
    assert "seed 0" not in again.output
    assert again.output == result.output[result.output.index("| trial |") :]
    other = invoke("sweep", "martinez", "--grid", "lr=1e-3,1e-4", *study, *SMALL)
    assert other.exit_code == 2
    assert "study of another sweep: axes" in other.output


def test_mistakes_are_one_clear_line_and_leave_nothing(invoke, tmp_path):
    study = ["--study", tmp_path / "study"]
    for args, expected in (
        (["martinez"], "Add --grid"),
        (["martinez", "--grid", "lr"], "expected NAME=VALUE,VALUE"),
        (["martinez", "--grid", "lifter.widht=1,2"], "lifter.widht=1: "),
        (["--grid", "lr=1,2"], "as it was defined"),
        (["--steps", 5], "as it was defined"),
    ):
        result = invoke("sweep", *args, *study)
        assert result.exit_code == 2, result.output
        assert expected in result.output
    assert not (tmp_path / "study").exists()


def test_without_optuna_the_command_says_what_to_install(invoke, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = invoke("sweep", "martinez", "--grid", "lr=1e-3,1e-2", "--study", tmp_path / "s")
    assert result.exit_code == 2
    assert "pip install 'posezoo[sweep]'" in result.output
    assert not (tmp_path / "s").exists()
