import os
import signal
import tomllib

import numpy as np
import pytest

from posezoo.training import runs


def test_a_bare_lifter_trains_with_no_other_word(lifter_run):
    table = tomllib.loads((lifter_run / "run.toml").read_text())
    assert table["settings"]["preset"] == "lifter"
    assert table["settings"]["steps"] == 4
    assert table["environment"]["versions"]["torch"]


def test_the_run_says_what_it_does_and_what_the_report_s_settings_would_be(tmp_path, invoke, small):
    spec = "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1+martinez"
    result = invoke("train", spec, "--out", tmp_path / "r", "--image-size", 32, *small)
    assert result.exit_code == 0, result.output
    assert "preset laptop: " in result.output
    assert "--preset report would be the source report: 256 px" in result.output
    assert "loss 3d: " in result.output and "loss 2d: " in result.output
    assert "MPJPE mm" in result.output and "mean pose mm" in result.output


def test_resuming_a_finished_run_gives_its_numbers_again(lifter_run, invoke):
    metrics = (lifter_run / "metrics.jsonl").read_bytes()
    result = invoke("train", "martinez", "--out", lifter_run, "--resume")
    assert result.exit_code == 0, result.output
    assert (lifter_run / "metrics.jsonl").read_bytes() == metrics


def test_resuming_with_another_word_says_what_the_run_has(lifter_run, invoke):
    result = invoke("train", "martinez", "--out", lifter_run, "--resume", "--lr", "0.5")
    assert result.exit_code == 2
    assert "lr=0.5, the run has" in result.output


def nan_joint(positions):
    positions[2, 5] = np.nan
    return positions


MISTAKES = {
    "an unknown lifter": (["martinz"], "Did you mean 'martinez'"),
    "an unknown backbone": (["resnet5-hm+martinez"], "Did you mean 'resnet50'"),
    "a lifter as a backbone": (["martinez-hm"], "Did you mean resnet50-hm+martinez?"),
    "a wrong parameter": (["martinez:widht=64"], "Did you mean 'width'"),
    "a wrong value": (["martinez:width=broad"], "expected int"),
    "a wrong strategy": (["martinez", "--strategy", "seperate"], "Did you mean 'separate'"),
    "an unknown setting": (["martinez", "--set", "lrr=1"], "Did you mean 'lr'"),
    "an unknown preset": (["martinez", "--preset", "labtop"], "Did you mean 'laptop'"),
    "no GPU": (["martinez", "--device", "cuda"], "use cpu"),
    "a set without a value": (["martinez", "--set", "lr"], "KEY=VALUE"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_line_and_leaves_nothing_behind(tmp_path, invoke, name):
    args, expected = MISTAKES[name]
    result = invoke("train", *args, "--out", tmp_path / "run")
    assert result.exit_code == 2, result.output
    assert expected in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


# What is done to a good file (None: it is not written at all), and what the message must say.
DAMAGE = {
    "missing": (None, "no such file"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:3000]), "not a whole HDF5 file"),
    "html": (lambda path: path.write_text("<html>"), "not a whole HDF5 file"),
    "a joint too few": (lambda p: p[:, :16], "expected 17"),
    "a NaN": (nan_joint, "frame 2 has no number for left_knee"),
    "metres": (lambda p: p / 1000, "metres"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_file_that_cannot_be_used_is_named_with_its_fault(tmp_path, invoke, make_mocap, name):
    damage, expected = DAMAGE[name]
    path = tmp_path / "poses17.h5"
    if name in ("truncated", "html"):
        damage(make_mocap(path))
    elif damage:
        make_mocap(path, change=damage)
    result = invoke("train", "martinez", "--data", f"mocap:path={path}", "--out", tmp_path / "run")
    assert result.exit_code == 2, result.output
    assert f"error: {path}" in result.output
    assert expected in result.output
    assert not (tmp_path / "run").exists()


def test_epochs_become_steps(tmp_path, invoke, small):
    options = ("--epochs", 2, "--batch-size", 8)
    result = invoke("train", "martinez", "--out", tmp_path / "e", *small[4:], *options)
    assert result.exit_code == 0, result.output
    settings = tomllib.loads((tmp_path / "e" / "run.toml").read_text())["settings"]
    assert settings["steps"] == 2 * 24 / 8


def test_without_out_a_run_is_named_by_what_makes_its_network(tmp_path, invoke, small, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for typed in ("martinez", "martinez", "martinez:blocks=1", "semgcn --preset none"):
        words = [*typed.split(), *(small[:-2] if "semgcn" in typed else small)]
        result = invoke("train", *words)
        assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "martinez.width=16@lifter",
        "martinez.width=16@lifter-2",
        "martinez.blocks=1.width=16@lifter",
        "semgcn",
    }
    again = invoke("train", "martinez", "--resume")
    assert "resuming runs/martinez.blocks=1.width=16@lifter\n" in again.output  # the newest
    again = invoke("train", "semgcn", "--resume")
    assert "resuming runs/semgcn\n" in again.output and again.exit_code == 0
    other = invoke("train", "martinez", "--resume", "--set", "lifter.width=64")
    assert "cannot be resumed with other settings" in other.output


def test_a_plugin_file_s_lifter_trains(tmp_path, invoke, small, clean_registry):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import posezoo\n"
        "from posezoo.lifters.martinez import Martinez\n"
        "@posezoo.register('lifter', 'mine', summary='A test.', licence='MIT')\n"
        "class Mine(Martinez):\n"
        "    pass\n"
    )
    result = invoke("train", "mine", "--plugin", plugin, "--out", tmp_path / "m", *small)
    assert result.exit_code == 0, result.output
    again = invoke("eval", tmp_path / "m", "--plugin", plugin)
    assert again.exit_code == 0, again.output


def test_ctrl_c_while_the_program_starts_is_one_line_and_exits_with_130(
    tmp_path, invoke, monkeypatch
):
    monkeypatch.setattr(runs, "plan", lambda **_: os.kill(os.getpid(), signal.SIGINT))
    result = invoke("train", "martinez", "--out", tmp_path / "run")
    assert result.exit_code == 130
    assert result.output == "stopped by SIGINT: before it began\n"
    assert not (tmp_path / "run").exists()
