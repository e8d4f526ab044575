"""`posezoo report`: one short row, called again, and refused."""

import json


def test_a_row_is_trained_judged_and_written_and_a_second_call_trains_nothing(invoke, tmp_path):
    words = ("report", "--row", "lifter-loss", "--data", "synthetic:people=6,items=32")
    first = invoke(*words, "--out", tmp_path, "--device", "cpu")
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("rows 1, trainings 3, scale smoke: ")
    assert "to do: 3 trainings, " in first.stdout
    assert "lifter-loss: L1, seed 0, mpjpe_mm " in first.stdout
    kept = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert kept["verdicts"] == {"lifter-loss": "not judged"}  # one seed
    assert "## lifter-loss" in (tmp_path / "README.md").read_text(encoding="utf-8")
    again = invoke(*words, "--out", tmp_path, "--device", "cpu", "--page-only")
    assert again.exit_code == 0, again.output
    assert "seed 0" not in again.stdout
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["verdicts"]


def test_an_unknown_row_is_refused_before_anything_is_trained(invoke, tmp_path):
    result = invoke("report", "--row", "lifterloss", "--out", tmp_path / "new")
    assert result.exit_code == 2
    assert "unknown row 'lifterloss'. Did you mean 'lifter-loss'?" in result.output
    assert not (tmp_path / "new").exists()
