"""Whole runs, small: 32 px pictures, a ResNet-18 cut after its first stage, a narrow lifter."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import filelock
import pytest
import torch

from posezoo.registry import parse_node, parse_pipeline
from posezoo.training import loop, runs
from posezoo.training.checkpoint import load_pipeline, load_state

IMAGES = (
    "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1,batch_norm=layer+martinez:width=16"
)
LIFTER = "martinez:width=16"
SMALL = {
    "steps": "12",
    "batch_size": "4",
    "image_size": "32",
    "eval_every": "4",
    "eval_samples": "8",
    "log_every": "2",
    "normalisation_samples": "64",
    "data.items": "40",
}


class Killed(BaseException):
    """Stands for kill -9: nothing of ours may catch it."""


class Watcher:
    """A logger that remembers, and can act at a step."""

    def __init__(self, at=None, act=None):
        self.notes, self.records, self.at, self.act = [], [], at, act

    def note(self, text):
        self.notes.append(text)

    def step(self, record, timing):
        self.records.append(record)
        if record["step"] == self.at:
            self.act()

    def evaluation(self, step, evaluation):
        pass

    def close(self):
        pass


def run(out, pipeline=LIFTER, strategy="separate", resume=False, watcher=None, **changes):
    changes = {k.replace("__", "."): str(v) for k, v in changes.items()}
    folder, settings, _ = runs.plan(
        pipeline=parse_pipeline(pipeline),
        strategy=parse_node(strategy),
        preset="laptop" if "hm" in pipeline else "lifter",
        changes={} if resume else SMALL | changes,
        out=Path(out),
        resume=resume,
        device="cpu",
    )
    watcher = watcher or Watcher()
    evaluation = runs.start(
        folder, settings, device="cpu", workers=0, resume=resume, loggers=[watcher]
    )
    return evaluation, watcher


def killed_at(step):
    def act():
        raise Killed

    return Watcher(at=step, act=act)


def outcome(folder):
    """Everything that a run leaves, to compare bit by bit."""
    model, state = load_state(folder / "last")
    tensors = {**model, **state.tensors}
    return (folder / "metrics.jsonl").read_bytes(), state.values, tensors


def assert_same(a, b):
    assert a[0] == b[0]
    assert a[1] == b[1]
    assert a[2].keys() == b[2].keys()
    for name, value in a[2].items():
        assert torch.equal(value, b[2][name]), name


@pytest.fixture(scope="module")
def image_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "images"
    evaluation, watcher = run(out, IMAGES, "multitask")
    return out, evaluation, watcher


def test_a_run_leaves_what_the_documentation_says(image_run):
    out, evaluation, _ = image_run
    files = {p.name for p in out.iterdir()}
    wanted = {"run.toml", "metrics.jsonl", "timing.jsonl", "last", "best", "figures", "eval.json"}
    assert wanted <= files
    assert (out / "figures" / "predictions.png").stat().st_size > 10_000
    assert json.loads((out / "eval.json").read_text())["mpjpe_mm"] == evaluation.total["mpjpe_mm"]


def test_metrics_hold_losses_rates_and_errors_and_no_clock(image_run):
    lines = [json.loads(line) for line in (image_run[0] / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == [2, 4, 6, 8, 10, 12]
    assert steps[0].keys() == {"step", "stage", "lr", "loss", "loss_3d", "loss_2d"}
    assert [line["step"] for line in lines if "val" in line] == [4, 8, 12]


def test_the_first_step_says_what_each_loss_term_weighs(image_run):
    terms = [note for note in image_run[2].notes if note.startswith("loss ")]
    assert len(terms) == 2
    assert all("% of the sum), gradient norm at backbone" in note for note in terms)


def test_evaluating_the_run_again_gives_the_same_number_to_the_last_bit(image_run):
    out, evaluation, _ = image_run
    again = runs.evaluate_run(out, device=torch.device("cpu"))
    assert again.to_dict() == evaluation.to_dict()


def test_a_finished_run_predicts_from_its_folder_alone(image_run):
    pipeline = load_pipeline(image_run[0])
    assert not pipeline.training
    assert pipeline.mean_pose.abs().max() > 100  # mm: the statistics are in the checkpoint


def test_augmentation_reaches_the_training(tmp_path):
    run(tmp_path / "plain")
    run(tmp_path / "turned", augment="viewpoint:pitch=30")
    assert outcome(tmp_path / "plain")[0] != outcome(tmp_path / "turned")[0]
    with pytest.raises(ValueError, match=r"no such change\. Did you mean 'mirror'"):
        run(tmp_path / "wrong", augment="miror")
    with pytest.raises(ValueError, match="'colour' changes pictures, and this data has none"):
        run(tmp_path / "colour", augment="colour")
    assert not (tmp_path / "colour").exists()


def test_one_seed_gives_one_metrics_file_and_another_seed_another(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run(tmp_path / name, seed=seed)
    assert_same(outcome(tmp_path / "a"), outcome(tmp_path / "b"))
    assert outcome(tmp_path / "a")[0] != outcome(tmp_path / "c")[0]


RUNS = {
    "lifter": (LIFTER, "separate", {"ema": 0.9, "schedule": "plateau", "patience": 1}),
    "multitask": (
        IMAGES,
        "multitask",
        {"schedule": "onecycle", "optimizer": "adamw", "augment": "mirror+roll+colour"},
    ),
    "two stages": (IMAGES, "separate:lifter_input=predicted,lifter_share=0.5", {"grad_clip": 1.0}),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_killed_again_and_again_ends_as_if_nothing_had_happened(tmp_path, kind):
    pipeline, strategy, changes = RUNS[kind]
    run(tmp_path / "whole", pipeline, strategy, **changes)
    for step in (2, 6, 10):  # before the first checkpoint, in the middle, after the second
        with pytest.raises(Killed):
            run(
                tmp_path / "broken",
                pipeline,
                strategy,
                resume=step > 2,
                watcher=killed_at(step),
                **changes,
            )
    run(tmp_path / "broken", pipeline, strategy, resume=True)
    assert_same(outcome(tmp_path / "whole"), outcome(tmp_path / "broken"))


def test_a_real_kill_9_is_survived(tmp_path):
    """A process of its own, killed at some moment of its work, then resumed here."""
    run(tmp_path / "whole", steps=40, log_every=1)
    code = (
        "import sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/../kernels']\n"
        "from tests_train import run\n"
        "run(sys.argv[2], steps=40, log_every=1)"
    )
    link = tmp_path / "tests_train.py"
    link.write_text(Path(__file__).read_text())
    root = Path(__file__).parents[2]
    env = {
        **os.environ,
        "OMP_NUM_THREADS": str(torch.get_num_threads()),  # sums of other threads differ in bits
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(root), str(root / "kernels")]),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(root), str(tmp_path / "hit")], env=env
    )
    metrics = tmp_path / "hit" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if metrics.is_file() and len(metrics.read_bytes().splitlines()) > 15:
            process.kill()
        time.sleep(0.001)
    assert process.wait() == -signal.SIGKILL
    run(tmp_path / "hit", resume=True)
    assert_same(outcome(tmp_path / "whole"), outcome(tmp_path / "hit"))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_exits_as_the_shell_expects(tmp_path, signum):
    run(tmp_path / "whole", log_every=1)
    with pytest.raises(SystemExit) as stopped:
        run(
            tmp_path / "asked",
            log_every=1,
            watcher=Watcher(at=5, act=lambda: os.kill(os.getpid(), signum)),
        )
    assert stopped.value.code == 128 + signum
    assert load_state(tmp_path / "asked" / "last")[1].values["step"] == 5
    run(tmp_path / "asked", resume=True)
    assert_same(outcome(tmp_path / "whole"), outcome(tmp_path / "asked"))


def test_a_loss_that_is_no_number_stops_the_run_before_it_is_saved(tmp_path):
    with pytest.raises(ValueError, match=r"the loss became .* Nothing of it was saved"):
        run(tmp_path / "wild", optimizer="sgd", lr=1e6, steps=12, log_every=1)
    assert not (tmp_path / "wild" / "last").exists()


def test_overfitting_one_batch_drives_its_loss_down(tmp_path):
    _, watcher = run(
        tmp_path / "one", "martinez:width=64,dropout=0.0", steps=80, overfit_one_batch="true"
    )
    losses = [record["loss"] for record in watcher.records]
    assert losses[-1] < 0.3 * losses[0]


def test_frozen_parts_do_not_move_while_another_stage_learns(tmp_path):
    """In the lifter's stage the head's weights and its batch norms' averages stand still."""
    strategy = "separate:lifter_input=predicted,lifter_share=0.5"
    out = tmp_path / "stages"
    with pytest.raises(Killed):
        run(out, IMAGES, strategy, eval_every=2, watcher=killed_at(8))
    before, _ = load_state(out / "last")
    run(out, IMAGES, strategy, resume=True)
    after, _ = load_state(out / "last")
    moved = {k.partition(".")[0] for k in before if not torch.equal(before[k], after[k])}
    assert moved == {"lifter"}


def test_early_stopping_ends_a_run_that_no_longer_improves(tmp_path):
    _, watcher = run(tmp_path / "early", lr=0.0, steps=40, early_stop=2)
    assert watcher.records[-1]["step"] < 40
    best = int(watcher.notes[-1].split("since step ")[1].split(":")[0])
    assert watcher.records[-1]["step"] == best + 2 * 4  # two evaluations later
    assert load_state(tmp_path / "early" / "last")[1].values["step"] == 40  # nothing to resume


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    run(tmp_path / "a")
    before = (tmp_path / "a" / "run.toml").read_bytes()
    with pytest.raises(ValueError, match="already holds a run: add --resume"):
        run(tmp_path / "a")
    assert (tmp_path / "a" / "run.toml").read_bytes() == before


def test_a_folder_with_other_things_is_not_used(tmp_path):
    (tmp_path / "thesis.tex").write_text("!")
    with pytest.raises(ValueError, match=r"is not empty \(thesis.tex\): give another --out"):
        run(tmp_path)


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    with filelock.FileLock(tmp_path / ".lock"), pytest.raises(ValueError, match="another run"):
        run(tmp_path)


def test_there_must_be_something_to_resume(tmp_path):
    with pytest.raises(ValueError, match="no run here"):
        run(tmp_path / "nothing", resume=True)


def test_a_run_killed_while_it_began_can_be_started_again(tmp_path):
    (tmp_path / ".run.new.toml").write_text("[sett")
    run(tmp_path)
    assert not (tmp_path / ".run.new.toml").exists()


def test_a_last_checkpoint_without_its_manifest_does_not_start_the_run_again(tmp_path):
    run(tmp_path / "a")
    (tmp_path / "a" / "last" / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"last: no checkpoint here \(manifest.json is missing\)"):
        run(tmp_path / "a", resume=True)
    assert len((tmp_path / "a" / "metrics.jsonl").read_text().splitlines()) == 9


def test_a_damaged_best_checkpoint_is_found_before_the_training_goes_on(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path / "a", watcher=killed_at(6))
    (tmp_path / "a" / "best" / "model.safetensors").write_bytes(b"")
    watcher = Watcher()
    with pytest.raises(ValueError, match=r"best/model.safetensors: damaged"):
        run(tmp_path / "a", resume=True, watcher=watcher)
    assert not watcher.records


def test_weights_that_are_no_numbers_are_not_saved_when_a_signal_comes(tmp_path, monkeypatch):
    """The loss is fine until the step after; the checkpoint before it stays."""
    update = loop.Optimizer.update

    def spoil(self, loss, step):
        rate = update(self, loss, step)
        if step == 4:
            with torch.no_grad():
                self.parameters[0].view(-1)[0] = float("nan")
            os.kill(os.getpid(), signal.SIGTERM)
        return rate

    monkeypatch.setattr(loop.Optimizer, "update", spoil)
    with pytest.raises(ValueError, match=r"holds NaN .* at step 5\. .*last is of step 4") as raised:
        run(tmp_path / "a")
    assert "\n" not in str(raised.value)
    assert load_state(tmp_path / "a" / "last")[1].values["step"] == 4


def scaled(monkeypatch, factor):
    """Weights that an update leaves so many times too large."""
    update = loop.Optimizer.update

    def spoil(self, loss, step):
        rate = update(self, loss, step)
        with torch.no_grad():
            for parameter in self.parameters:
                parameter.mul_(factor)
        return rate

    monkeypatch.setattr(loop.Optimizer, "update", spoil)


def test_diverged_weights_are_found_before_they_are_evaluated(tmp_path, monkeypatch):
    scaled(monkeypatch, float("inf"))
    with pytest.raises(ValueError, match=r"Nothing of it was saved: there is no checkpoint yet"):
        run(tmp_path / "wild", eval_every=1, log_every=1)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_weights_that_are_finite_and_no_use_end_in_the_evaluation_in_one_line(
    tmp_path, monkeypatch, ema
):
    """Weights of 1e36 are numbers; what they give is none."""
    scaled(monkeypatch, 1e37)
    with pytest.raises(ValueError, match=r"^none of 8 poses of .* has a finite error") as raised:
        run(tmp_path / "wild", steps=1, eval_every=1, ema=ema)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "wild" / "best").exists() and not (tmp_path / "wild" / "last").exists()


def test_a_nan_in_the_data_stops_at_its_step_and_names_its_item(tmp_path, monkeypatch):
    batches = loop.training_batches

    def spoiled(*args, **kwargs):
        for step, batch in enumerate(batches(*args, **kwargs), start=1):
            if step == 7:
                batch.joints3d[2, 0, 3, 1] = float("nan")
                yield replace(batch, sequence=("", "", "S9/walk 1", ""))
            else:
                yield batch

    monkeypatch.setattr(loop, "training_batches", spoiled)
    said = r"nan at step 7 .*last is of step 4\. The data has NaN: joints3d of sequence 'S9/walk 1'"
    with pytest.raises(ValueError, match=said):
        run(tmp_path / "a", log_every=5)


@pytest.mark.parametrize("phase", ["prepares", "evaluates"])
def test_a_signal_outside_the_loop_ends_at_once_and_the_run_can_be_resumed(
    tmp_path, monkeypatch, phase
):
    run(tmp_path / "whole")

    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal should have ended it")

    with monkeypatch.context() as patch:
        if phase == "prepares":
            patch.setattr(loop.Training, "start", interrupted)
        else:
            patch.setattr(runs, "evaluate_run", interrupted)
        with pytest.raises(SystemExit) as stopped:
            run(tmp_path / "asked")
    assert stopped.value.code == 143
    assert stopped.value.said.startswith("stopped by SIGTERM: ")
    assert "--resume" in stopped.value.said
    run(tmp_path / "asked", resume=True)
    assert_same(outcome(tmp_path / "whole"), outcome(tmp_path / "asked"))


def test_a_second_signal_during_the_save_does_not_cost_it(tmp_path, monkeypatch):
    monkeypatch.setattr("posezoo.training.signals._PATIENCE_S", 0.0)
    save = loop.save_checkpoint

    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGTERM)
        save(*args, **kwargs)

    monkeypatch.setattr(loop, "save_checkpoint", interrupted)
    with pytest.raises(SystemExit) as stopped:
        run(
            tmp_path / "a",
            log_every=1,
            watcher=Watcher(at=3, act=lambda: os.kill(os.getpid(), signal.SIGTERM)),
        )
    assert stopped.value.code == 143
    assert load_state(tmp_path / "a" / "last")[1].values["step"] == 3


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")
def test_a_stop_of_the_whole_process_group_spares_the_loader_workers(tmp_path):
    """As `timeout` and job schedulers send it; the workers are two processes of their own."""
    command = "from posezoo.cli import main; main()"
    settings = [f"--set={k}={v}" for k, v in SMALL.items() if k not in ("steps", "log_every")]
    words = ["train", LIFTER, "--out", str(tmp_path / "a"), "--device=cpu", "--workers=2"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            command,
            *words,
            *settings,
            "--set=steps=100000",
            "--set=log_every=1",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    metrics = tmp_path / "a" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    step = load_state(tmp_path / "a" / "last")[1].values["step"]
    assert process.returncode == 143
    assert said == f"stopped by SIGTERM: {tmp_path}/a/last is of step {step}; go on with --resume\n"


def test_a_loader_worker_that_dies_is_one_line(tmp_path, monkeypatch):
    def dies(*args, **kwargs):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. \nMore.")

    monkeypatch.setattr(loop, "training_batches", dies)
    with pytest.raises(ValueError, match=r"a loader worker ended: .*Killed.*--resume"):
        run(tmp_path / "a")
