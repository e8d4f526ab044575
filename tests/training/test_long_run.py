"""What may befall a run of days: a killed loader worker, a folder that goes away, a full disk."""

import itertools
import json
import multiprocessing
import os
import signal
import sys
import time

import pytest
import torch

from benchmarks import memory
from posezoo.registry import parse_pipeline
from posezoo.training import runs
from posezoo.training.checkpoint import load_state
from posezoo.training.loggers import TensorBoard

SMALL = {
    "steps": "8",
    "batch_size": "4",
    "eval_every": "2",
    "eval_samples": "4",
    "log_every": "1",
    "normalisation_samples": "8",
    "data.items": "16",
}


class At:
    """A logger that acts at a step."""

    def __init__(self, step, act):
        self.at, self.act = step, act

    def note(self, text): ...
    def evaluation(self, step, evaluation): ...
    def close(self): ...
    def step(self, record, timing):
        if record["step"] == self.at:
            self.act()


def train(out, *, resume=False, workers=0, loggers=()):
    run, settings, _ = runs.plan(
        pipeline=parse_pipeline("martinez:width=8"),
        changes={} if resume else SMALL,
        out=out,
        resume=resume,
        device="cpu",
    )
    runs.start(
        run, settings, device="cpu", workers=workers, resume=resume, draw=False, loggers=loggers
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(out)
    return out


def assert_same(out, whole):
    (model, state), (expected, wanted) = load_state(out / "last"), load_state(whole / "last")
    assert (out / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert state.values == wanted.values
    found, expected = {**model, **state.tensors}, {**expected, **wanted.tensors}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing is killed here")
def test_a_killed_loader_worker_ends_the_run_in_one_line_and_it_goes_on(tmp_path, whole):
    """At step 5; the last save was at step 4."""

    def kill():
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        time.sleep(30)  # torch's handler of the signal ends it at once

    out = tmp_path / "run"
    with pytest.raises(ValueError, match=r"^a loader worker ended: .*Killed") as ended:
        train(out, workers=2, loggers=[At(5, kill)])
    assert str(ended.value).count("\n") == 0
    assert f"{out / 'last'} is of step 4; go on with --resume" in str(ended.value)
    train(out, resume=True, workers=2)
    assert_same(out, whole)


def test_a_run_folder_that_vanishes_ends_the_run_and_is_not_made_again(tmp_path, whole):
    out, away = tmp_path / "run", tmp_path / "away"
    with pytest.raises(FileNotFoundError) as ended:
        train(out, loggers=[At(5, lambda: out.rename(away))])
    assert str(ended.value.filename).startswith(str(out))
    assert not out.exists()
    away.rename(out)
    train(out, resume=True)
    assert_same(out, whole)


def test_tensorboard_reads_the_numbers_that_were_written(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = TensorBoard(tmp_path / "tensorboard")
    for step, loss in ((1, 0.5), (2, 0.25)):
        logger.step({"step": step, "stage": "lift", "loss": loss}, {"items_per_s": 8.0})
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(1, 0.5), (2, 0.25)]
    assert [e.value for e in events.Scalars("train/items_per_s")] == [8.0, 8.0]


def test_a_clock_that_jumps_changes_nothing(tmp_path, whole, monkeypatch):
    """By six hours, forth and back, each time it is looked at."""
    hours, real = itertools.count(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 21_600 * (-1) ** next(hours))
    train(tmp_path / "run")
    assert_same(tmp_path / "run", whole)
    timing = (tmp_path / "run" / "timing.jsonl").read_text().splitlines()
    rates = [json.loads(line)["items_per_s"] for line in timing]
    assert len(rates) == 8 and all(0 < rate < 1e5 for rate in rates)


def test_tensorboard_s_files_have_the_order_in_which_they_were_begun(tmp_path, monkeypatch):
    """Whatever the clock says: it sees nothing of one that comes before one it has read."""
    pytest.importorskip("tensorboard")
    names = []
    for moment in (2_000_000_000, 1_999_999_000, 2_000_000_000):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        logger = TensorBoard(tmp_path / "tensorboard")
        logger.step({"step": 1, "stage": "lift", "loss": 0.5}, {})
        names.append(logger.file.name)
    assert len({*names}) == 3
    assert names == sorted(names)


def test_a_leak_is_told_from_what_a_start_takes():
    """The first tenth loads what it needs; after it, 0.01 MiB more a reading is 8.5 % of 100."""
    start = [50 + k / 2 for k in range(100)]
    level = start + [100.0] * 900
    leaking = start + [100 + k / 100 for k in range(900)]
    assert memory.growth(level) == 0
    assert memory.growth(leaking) == pytest.approx((108.745 - 100.245) / 100.245)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_of_a_short_training_and_of_a_shuffled_store_is_measured(tmp_path):
    assert len(memory.train(tmp_path, 20)) == 20
    assert len(memory.look(tmp_path, 3)) == 3
    memory.write(tmp_path, 2500)
    before, peak = memory.shuffle(tmp_path, 2500)
    assert 0 < before < peak < before + 64
