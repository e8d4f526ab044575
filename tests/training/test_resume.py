"""What `--resume` refuses: whatever does not belong to the run. Each in one line."""

import hashlib
import json
import shutil
import tomllib
from pathlib import Path

import h5py
import pytest
import torch
from safetensors.torch import load_file, save_file

from posezoo import registry
from posezoo.data.fingerprint import fingerprint
from posezoo.registry import catalog, parse_node, parse_pipeline
from posezoo.training import runs
from posezoo.training.checkpoint import load_pipeline, load_state

SMALL = {
    "steps": "4",
    "batch_size": "4",
    "eval_every": "2",
    "eval_samples": "4",
    "normalisation_samples": "8",
    "data.items": "16",
}


def train(
    out,
    pipeline="martinez:width=8",
    *,
    data=None,
    resume=False,
    epochs=None,
    loggers=(),
    **changes,
):
    small = {k: v for k, v in SMALL.items() if not (data and "." in k)}
    run, settings, _ = runs.plan(
        pipeline=parse_pipeline(pipeline),
        data=parse_node(data) if data else None,
        changes=changes if resume else small | changes,
        epochs=epochs,
        out=out,
        resume=resume,
        device="cpu",
    )
    runs.start(run, settings, device="cpu", workers=0, resume=resume, draw=False, loggers=loggers)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a"
    train(out)
    return out


@pytest.fixture(scope="module")
def half_way(finished, tmp_path_factory):
    """As killed after step 2: its state has the optimiser's memory of a stage that goes on."""
    out = tmp_path_factory.mktemp("half") / "a"
    with pytest.raises(KeyboardInterrupt):
        train(out, log_every="1", loggers=[Killer()])
    return out


@pytest.mark.parametrize(
    "other",
    [
        ({"seed": "1"}, r"seed=1, run\.toml has 0"),
        ({"lr": "0.5"}, r"lr=0\.5, run\.toml has 0\.\d+"),
        ({"optimizer": "sgd"}, r"optimizer=sgd, run\.toml has adam"),
        ({"lifter.width": "16"}, r"width=16.*, run\.toml has .*width=8"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, finished, other):
    changes, said = other
    train(tmp_path / "other", **changes)
    shutil.copytree(finished, tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / "last")
    shutil.copytree(tmp_path / "other" / "last", tmp_path / "a" / "last")
    with pytest.raises(ValueError, match=f"last is of another run: .*{said}") as raised:
        train(tmp_path / "a", resume=True)
    assert "\n" not in str(raised.value)


WORDS = {
    "an unknown setting": ({"nonsense": "1"}, "--set nonsense: unknown setting"),
    "an unknown part": ({"head.width": "1"}, "--set head.width: this run has no 'head'"),
    "a value of another kind": ({"lr": "fast"}, "lr: "),
    "another number of epochs": ({"epochs": 7.0}, r"--epochs 7 is steps=\d+, the run has 4"),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_that_are_not_the_run_s_are_refused(finished, name):
    changes, said = WORDS[name]
    with pytest.raises(ValueError, match=f"cannot be resumed with other settings: {said}"):
        train(finished, resume=True, **changes)


def test_the_number_of_epochs_that_the_run_was_started_with_may_be_said_again(tmp_path):
    train(tmp_path / "a", epochs=2.0)
    train(tmp_path / "a", epochs=2.0, resume=True)


def test_a_best_checkpoint_that_is_gone_is_found_before_the_training_goes_on(tmp_path, finished):
    shutil.copytree(finished, tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / "best")
    with pytest.raises(ValueError, match=r"best: missing, and .*last goes on after it"):
        train(tmp_path / "a", resume=True)


def test_other_poses_in_the_data_file_are_noticed(tmp_path, make_mocap):
    path = make_mocap(tmp_path / "poses17.h5")
    train(tmp_path / "a", data=f"mocap:path={path}")
    train(tmp_path / "a", resume=True)  # the same file
    before = path.stat()
    with h5py.File(path, "r+") as file:
        poses = next(v for v in visit(file) if v.ndim == 3)
        poses[1, 4, 2] += 0.25
    assert path.stat().st_size == before.st_size
    with pytest.raises(ValueError, match=r"poses17.h5: changed since the run in"):
        train(tmp_path / "a", resume=True)


def visit(group):
    for value in group.values():
        yield from visit(value) if isinstance(value, h5py.Group) else (value,)


def test_only_files_that_the_settings_name_have_a_fingerprint(tmp_path, finished, make_mocap):
    assert "[data]" not in (finished / "run.toml").read_text()
    folder = tmp_path / "poses"
    folder.mkdir()
    make_mocap(folder / "a_poses17.h5")
    train(folder / "runs" / "a", data=f"mocap:path={folder}")  # a run below its own data
    train(folder / "runs" / "a", resume=True)
    table = tomllib.loads((folder / "runs" / "a" / "run.toml").read_text())
    assert table["data"].keys() == {str(folder)}


def test_a_run_of_before_there_were_fingerprints_still_resumes(tmp_path, finished):
    shutil.copytree(finished, tmp_path / "a")
    state = tmp_path / "a" / "last" / "state.json"
    values = json.loads(state.read_text())
    del values["settings"]
    old = state.read_bytes()
    state.write_text(json.dumps(values))
    manifest = tmp_path / "a" / "last" / "manifest.json"
    sums = manifest.read_text()
    manifest.write_text(sums.replace(sha256(old), sha256(state.read_bytes())))
    train(tmp_path / "a", resume=True)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_a_fingerprint_reads_every_byte_of_a_small_file_and_the_ends_of_a_big_one(tmp_path):
    small, big = tmp_path / "small", tmp_path / "big"
    small.write_bytes(bytes(200_000))
    with big.open("wb") as file:
        file.truncate(70 << 20)  # a hole: no disk is used
    for path, places in ((small, (0, 99_999, 199_999)), (big, (0, (70 << 20) - 1))):
        found = {fingerprint(path)}
        for place in places:
            with path.open("r+b") as file:
                file.seek(place)
                file.write(b"\1")
            found.add(fingerprint(path))
        assert len(found) == 1 + len(places)
    assert fingerprint(Path(tmp_path / "none")) == ""
    assert fingerprint(tmp_path) != fingerprint(small)


TIED = '''
from torch import nn
import posezoo
from posezoo import losses
from posezoo.geometry import root_relative
from posezoo.skeleton import Skeleton


@posezoo.register("lifter", "tied", summary="One layer, used twice.", licence="MIT")
class Tied(nn.Module):
    """(B, T, J, 2) px to (B, T, J, 3) mm."""

    frames, future, takes_confidence = 1, 0, False

    def __init__(self, *, skeleton: Skeleton) -> None:
        super().__init__()
        self.first = self.second = nn.Linear(34, 34)
        self.out = nn.Linear(34, 500)  # dropped again, as a classifier is for features
        self.out = nn.Linear(34, 51)

    def forward(self, joints2d, camera):
        z = self.second(self.first(joints2d.flatten(-2) / 1000))
        return root_relative(self.out(z).unflatten(-1, (-1, 3)) * 1000)

    def fit_normalisation(self, batch):
        pass

    def loss(self, predicted, batch):
        return losses.mean_distance(predicted, batch.joints3d, batch.labelled3d)
'''


class Killer:
    """A logger that ends the run at its third step."""

    def step(self, record, timing):
        if record["step"] == 3:
            raise KeyboardInterrupt

    def note(self, text):
        pass

    def evaluation(self, step, evaluation):
        pass

    def close(self):
        pass


def test_a_plugin_with_a_layer_used_twice_trains_and_goes_on_to_the_same_bits(tmp_path):
    (tmp_path / "mine.py").write_text(TIED)
    entries = registry.load_plugin_file(tmp_path / "mine.py")
    try:
        train(tmp_path / "whole", "tied", ema="0.9", log_every="1")
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "cut", "tied", loggers=[Killer()], ema="0.9", log_every="1")
        train(tmp_path / "cut", "tied", resume=True)
        whole, cut = (load_state(tmp_path / name / "last") for name in ("whole", "cut"))
        for a, b in ((whole[0], cut[0]), (whole[1].tensors, cut[1].tensors)):
            assert a.keys() == b.keys()
            assert all(torch.equal(a[name], b[name]) for name in a)
        assert "lifter.second.weight" in cut[0]
        lifter = load_pipeline(tmp_path / "cut").lifter
        assert lifter.first is lifter.second
    finally:
        catalog.discard(entries)


def rewritten(run, change):
    """Change the tensors and values of a run's last checkpoint, with its sums put right."""
    last = run / "last"
    tensors = load_file(last / "state.safetensors")
    values = json.loads((last / "state.json").read_text())
    change(tensors, values)
    save_file(tensors, last / "state.safetensors")
    (last / "state.json").write_text(json.dumps(values))
    manifest = json.loads((last / "manifest.json").read_text())
    for name in manifest["sha256"]:
        manifest["sha256"][name] = sha256((last / name).read_bytes())
    (last / "manifest.json").write_text(json.dumps(manifest))


CRAFTED = {
    "no random numbers": (lambda t, v: t.pop("rng.cpu"), "1 missing, the first 'rng.cpu'"),
    "of another kind": (
        lambda t, v: t.update({"rng.cpu": t["rng.cpu"].float()}),
        "rng.cpu' is torch",
    ),
    "an average too many": (lambda t, v: t.update({"ema.x": torch.ones(2)}), "the first 'ema.x'"),
    "memory of nobody": (
        lambda t, v: t.update({"optimizer.99.exp_avg": torch.ones(2)}),
        "'optimizer.99.exp_avg' is not of this optimiser",
    ),
    "memory of another shape": (
        lambda t, v: t.update({"optimizer.0.exp_avg": torch.ones(2, 3)}),
        r"'optimizer.0.exp_avg' is torch.float32 \(2, 3\), expected",
    ),
    "half of a memory": (lambda t, v: t.pop("optimizer.0.exp_avg"), "lacks 'optimizer.0.exp_avg'"),
    "a step that is text": (
        lambda t, v: v.update(step="3"),
        "step is '3', expected a whole number",
    ),
    "a best that is none": (
        lambda t, v: v.update(best="good"),
        "best is 'good', expected text matching",
    ),
    "no schedule": (lambda t, v: v.pop("schedule"), "state.json: lacks schedule"),
    "waiting less than nothing": (
        lambda t, v: v["schedule"].update(waited=-1),
        "schedule.waited is -1, expected a whole number >= 0",
    ),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_a_state_that_is_no_state_of_this_run_is_one_line(tmp_path, half_way, name):
    change, said = CRAFTED[name]
    shutil.copytree(half_way, tmp_path / "a")
    rewritten(tmp_path / "a", change)
    with pytest.raises(ValueError, match=said) as raised:
        train(tmp_path / "a", resume=True)
    assert str(tmp_path / "a" / "last") in str(raised.value)
    assert str(raised.value).isprintable() and len(str(raised.value)) < 500
