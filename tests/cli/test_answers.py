"""What is typed by mistake, and what is answered: the thing to type instead."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib

import pytest
import safetensors
import safetensors.torch

from posezoo.settings import presets, settable

ANSWERS = {
    "trian": "No such command 'trian'. Did you mean 'train'?",
    "evalute runs/x": "Did you mean 'eval'?",
    "data chekc": "Did you mean 'check'? See: posezoo data --help",
    "train": "posezoo train resnet50-hm+martinez",
    "train resnet50+martinez": "you left out the head: resnet50-hm+martinez",
    "train resnet50:cut=layer2+martinez": "the head: resnet50:cut=layer2-hm+martinez",
    "info resnet50+martinez:width=64": "the head: resnet50-hm+martinez:width=64",
    "train resnet50hm+martinez": "between backbone and head: resnet50-hm+martinez",
    "train resnet50hm:decode=soft+martinez": "and head: resnet50-hm:decode=soft+martinez",
    "train ResNet50-hm+martinez": "write 'resnet50', at character 1: ^ResNet50-hm",
    "train resnet50-HM+martinez": "write 'hm', at character 10: resnet50-^HM",
    "train martinez --data Mocap:path=x.h5": "write 'mocap'",
    "train martinez --set dropout=0.1": "written with the part: lifter.dropout",
    "train resnet50-hm+martinez --set decode=soft": "the part: head.decode or strategy.decode",
    "train martinez --set items=9": "written with the part: data.items",
    "train martinez --data coco.json": "posezoo data convert --from coco coco.json poses.h5",
    "train martinez --data a/photo.JPG": "posezoo predict a/photo.JPG --out results",
    "eval runs/x --data clip.mp4": "posezoo predict clip.mp4 --out results",
    "sweep martinez --study s --data p.h5": "--data store:path=p.h5, or mocap:path=p.h5",
    "train acme/graphlift": "no plugin 'acme' is installed here. Install its package with pip, or",
    "train resnet50-acme/blobs": "name its file: --plugin FILE.py",
    "list lifter": "posezoo list --kind lifter",
    "train resnet50": "write it before '-', as in resnet50-hm+martinez",
    "train resnet50 hm martinez": "Did you mean resnet50-hm+martinez?",
    "train martinez --device gpu": "'gpu' is not one of 'auto', 'cpu', 'cuda'",
    "train martinez --batch_size 32": "Did you mean '--batch-size'?",
    "train martinez --steps -5": "steps: expected int, 1 to 1000000000, got '-5'",
    "train martinez --strategy multi": "Did you mean 'multitask'?",
    "train resnet50-hm+martinez:widht=64": "Did you mean 'width'?",
    "train --resume --out runs/none martinez": "posezoo train PIPELINE --out runs/none makes one",
    "new lifters foo": "Did you mean 'lifter'?",
    "bench kernel": "Did you mean 'kernels'?",
    "info": "Missing argument 'KEY'. As in: posezoo info martinez",
    "predict photo.jpg": "Missing option '--out'. As in: posezoo predict photo.jpg --out results",
    "sweep martinez": "As in: posezoo sweep martinez --data mocap:path=poses17.h5 --grid lr",
    "compare runs/x": "runs/x: no run and no file of that name",
    "list Datasets": "posezoo list --kind dataset",
    "list martinz": "Did you mean 'martinez'?",
}


@pytest.mark.parametrize("typed", ANSWERS)
def test_the_answer_says_what_to_type(typed, invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*typed.split())
    assert result.exit_code == (0 if typed.startswith("list") else 2), result.output
    assert ANSWERS[typed] in result.output
    assert [*tmp_path.iterdir()] == []


def test_train_alone_names_the_keys(invoke):
    lines = invoke("train").output.splitlines()
    assert any(line.startswith("  lifters: ") and "martinez" in line for line in lines)


def test_the_part_of_a_run_and_a_slip_in_its_name_lead_to_the_run(invoke, lifter_run):
    inside, slip = lifter_run / "best", lifter_run.with_name("liftr")
    assert f"name the run, {lifter_run}\n" in invoke("eval", inside).output
    assert "Did you mean 'lifter'?" in invoke("eval", slip).output
    assert f"Runs in it: {lifter_run}" in invoke("eval", lifter_run.parent).output


def test_a_run_of_another_version_says_which_wrote_it(invoke, lifter_run, tmp_path):
    run = shutil.copytree(lifter_run, tmp_path / "old")
    text = (run / "run.toml").read_text()
    text = text.replace('posezoo = "0', 'posezoo = "7').replace("mix_share = ", "mixed_by = ")
    (run / "run.toml").write_text(text.replace("pipeline = ", "network = "))
    answer = invoke("eval", run).output
    assert "written by posezoo 7" in answer
    assert "it has no pipeline; its mixed_by, network is unknown here" in answer


def test_a_setting_younger_than_a_run_is_what_the_run_did_without_it(invoke, lifter_run, tmp_path):
    run = shutil.copytree(lifter_run, tmp_path / "old")
    text = (run / "run.toml").read_text()
    (run / "run.toml").write_text(text.replace('batch_norm = "local"\n', ""))
    assert "batch_norm" not in (run / "run.toml").read_text()
    assert invoke("eval", run).exit_code == 0


def test_a_checkpoint_of_another_version_says_which_wrote_it(invoke, lifter_run, tmp_path):
    run = shutil.copytree(lifter_run, tmp_path / "old")
    file, manifest = run / "best" / "model.safetensors", run / "best" / "manifest.json"
    with safetensors.safe_open(file, framework="pt") as opened:
        about = {**opened.metadata(), "version": "0.0.7"}
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    tensors["a_layer_of_then"] = tensors[next(iter(tensors))].clone()
    safetensors.torch.save_file(tensors, file, about)
    sums = json.loads(manifest.read_text())
    sums["sha256"]["model.safetensors"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(sums))
    answer = invoke("eval", run).output
    assert "'a_layer_of_then'" in answer and "written by posezoo 0.0.7, this is" in answer


def test_python_m_posezoo_is_the_command_line():
    command = [sys.executable, "-m", "posezoo", "lst"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: posezoo [OPTIONS]")


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_the_help_lists_presets_and_settings(invoke, command):
    words = invoke(command, "--help").output.replace(",", " ").split()
    assert {*presets(), *settable()} <= {*words}


def test_a_run_is_repeated_from_its_run_toml(invoke, lifter_run, tmp_path):
    again = tmp_path / "again"
    result = invoke("train", "--config", lifter_run / "run.toml", "--out", again)
    assert result.exit_code == 0, result.output
    first, second = (tomllib.loads((r / "run.toml").read_text()) for r in (lifter_run, again))
    assert first["settings"] == second["settings"]
    assert (lifter_run / "metrics.jsonl").read_bytes() == (again / "metrics.jsonl").read_bytes()


def test_what_is_given_beside_a_run_toml_wins(invoke, lifter_run, tmp_path):
    again = tmp_path / "again"
    result = invoke("train", "--config", lifter_run, "--steps", 2, "--out", again)
    assert result.exit_code == 0, result.output
    first, second = (tomllib.loads((r / "run.toml").read_text()) for r in (lifter_run, again))
    assert first["settings"] | {"steps": 2} == second["settings"]


def test_a_preset_says_what_it_made_of_the_key_and_none_makes_nothing(invoke, tmp_path, small):
    changed = invoke("train", "martinez", *small, "--out", tmp_path / "changed").output
    assert "not 'martinez' as it stands (a lifter alone): lifter martinez with " in changed
    assert "input=rays" in changed and "--preset none takes the key as it is" in changed
    plain = ["data.items=24", "eval_samples=8", "normalisation_samples=32"]
    sets = [word for item in plain for word in ("--set", item)]
    command = ["train", "martinez:width=16", "--preset", "none", "--steps", 2, "--batch-size", 4]
    result = invoke(*command, *sets, "--out", tmp_path / "plain")
    assert result.exit_code == 0, result.output
    assert "as it stands" not in result.output
    written = tomllib.loads((tmp_path / "plain" / "run.toml").read_text())["settings"]
    assert written["pipeline"] == "martinez:width=16"
