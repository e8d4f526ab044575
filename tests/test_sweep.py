import csv
import io
import json
import multiprocessing
import random
import signal
import time

import numpy as np
import pytest
import torch

from posezoo.evaluation.bootstrap import Cells
from posezoo.sweep import work as sweep_work
from posezoo.sweep.definition import Axis, Sweep
from posezoo.training.run_folder import RunFolder

pytest.importorskip("optuna")

from posezoo.sweep.results import read_rows
from posezoo.sweep.study import Study
from posezoo.sweep.table import write_report
from posezoo.sweep.work import work, work_together

TINY = {
    "batch_size": "2",
    "eval_every": "2",
    "data.items": "4",
    "lifter.width": "16",
}
EVALUATED = {"protocol": {"key": "poses", "hash": "0"}, "samples": 20, "data": "x", "items": "abc"}
RATES = Axis.grid("lr=1e-3,1e-2")


def sweep(*axes, trials=0, seeds=1, prune=False, steps=4, **changes):
    return Sweep(
        pipeline="martinez",
        strategy=None,
        data="synthetic",
        preset=None,
        changes={**TINY, "steps": str(steps), **changes},
        epochs=None,
        axes=axes or (RATES,),
        trials=trials,
        seeds=seeds,
        prune=prune,
        device="cpu",
    )


def quiet(text):
    pass


@pytest.fixture(scope="module")
def processes():
    """Processes that begin in a moment: forked from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    late = ("torch._dynamo", "torch.utils.tensorboard", "matplotlib.backends.backend_agg")
    context.set_forkserver_preload(["posezoo.sweep.work", "optuna.storages", *late])
    return context


def test_a_grid_and_limits_are_read_and_mistakes_in_them_named():
    assert Axis.grid("lr=1e-3, 1e-4").values == ("1e-3", "1e-4")
    assert Axis.grid("data=mocap:a=1,b=2|synthetic").values == ("mocap:a=1,b=2", "synthetic")
    drawn = Axis.sample("lr=1e-5..1e-2:log")
    assert (drawn.low, drawn.high, drawn.log, drawn.whole) == (1e-5, 1e-2, True, False)
    assert Axis.sample("lifter.width=64..512").whole
    for text in ("lr", "lr=", "lr=1", "lr=1,1", "lr=1,,2", "=1,2"):
        with pytest.raises(ValueError, match="expected NAME=VALUE,VALUE"):
            Axis.grid(text)
    for text in ("lr=1", "lr=2..1", "lr=a..b", "lr=1..2:exp", "lr=0..1:log", "=1..2"):
        with pytest.raises(ValueError, match=r"expected NAME=LOW\.\.HIGH"):
            Axis.sample(text)


def test_a_grid_runs_through_its_last_axis_first():
    points = sweep(RATES, Axis.grid("lifter.dropout=0,0.5")).points
    assert [tuple(point.values()) for point in points] == [
        ("1e-3", "0"), ("1e-3", "0.5"), ("1e-2", "0"), ("1e-2", "0.5"),
    ]  # fmt: skip


def test_every_point_is_planned_before_anything_is_trained(tmp_path):
    for axis, expected in (
        (Axis.grid("lifter.dropot=0,1"), "lifter.dropot=0: .*dropout"),
        (Axis.grid("lr=1e-3,fast"), "lr=fast: "),
        (Axis.grid("pipeline=martinez,martinz"), "pipeline=martinz: .*martinez"),
        (Axis.grid("seed=1,2"), "seeds by --seeds"),
        (Axis.sample("lr=1e-5..1e-2"), "--trials"),
    ):
        with pytest.raises(ValueError, match=expected):
            sweep(axis).check(tmp_path)
    sweep(Axis.grid("strategy=separate|separate:lifter_input=true")).check(tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_point_and_a_seed_are_the_run_that_train_would_make(tmp_path):
    _, settings = sweep().plan({"lr": "1e-2"}, seed=2, out=tmp_path / "run")
    assert (settings.lr, settings.seed, settings.preset) == (1e-2, 2, "lifter")
    assert settings.pipeline.startswith("martinez:")


def test_another_sweep_does_not_get_into_a_study(tmp_path):
    Study(tmp_path, sweep())
    assert Study(tmp_path).sweep == sweep()
    with pytest.raises(ValueError, match="study of another sweep: seeds: 3, the study has 1"):
        Study(tmp_path, sweep(seeds=3))
    with pytest.raises(ValueError, match="no study there yet"):
        Study(tmp_path / "nothing")


def test_each_trial_is_one_process_s_and_a_lost_one_is_taken_up(tmp_path):
    one, other = Study(tmp_path, sweep()), Study(tmp_path)
    first, second = one.claim(), other.claim()
    assert (first.number, second.number) == (0, 1)
    assert first.point == {"lr": "1e-3"}
    assert other.claim() is None
    first.release()  # as the system does for a process that was killed
    again = other.claim()
    assert again.number == 0
    again.finish([{"mpjpe_mm": 50.0}], 50.0)
    again.release()
    assert one.claim() is None
    assert one.unfinished == 1


def test_a_trial_finished_just_before_its_lock_comes_free_is_not_done_again(tmp_path, monkeypatch):
    claim, hold = Study(tmp_path, sweep()).claim(), Study._hold

    def late(study, number):
        if number == 0:
            claim.finish([{"mpjpe_mm": 50.0}], 50.0)
            claim.release()
        return hold(study, number)

    monkeypatch.setattr(Study, "_hold", late)
    assert Study(tmp_path).claim().number == 1


def test_a_trial_that_kills_its_process_again_and_again_has_failed(tmp_path):
    study = Study(tmp_path, sweep())
    claims = 0
    while (claim := study.claim()).number == 0:
        claims += 1
        claim.release()
    assert claims == 20
    claim.release()
    assert "ended 20 times at the same place" in read_rows(study)[0].note


def test_a_trial_worse_than_the_median_of_four_is_hopeless(tmp_path):
    study = Study(tmp_path, sweep(Axis.grid("lr=1,2,3,4,5,6")))
    for error in (10.0, 20.0, 30.0, 40.0):
        with study.claim() as claim:
            assert not claim.report(2, error)
            claim.finish([{"mpjpe_mm": error}], error)
    with study.claim() as claim:
        assert claim.report(2, 26.0)
        claim.stop(2, 26.0)
    with study.claim() as claim:
        assert not claim.report(2, 24.0)
    assert [row.note for row in read_rows(study)] == ["", "", "", "", "stopped at step 2 with 26.0"]


def test_a_hopeless_run_ends_at_half_time_and_not_before(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr("posezoo.sweep.study.Claim.report", lambda _, s, e: steps.append(s) or True)
    Study(tmp_path, sweep(prune=True, steps=8, seeds=2))
    work(tmp_path, say=quiet)
    assert steps == [2, 4, 2, 4]
    study = Study(tmp_path)
    assert all(row.note.startswith("stopped at step 4") for row in read_rows(study))
    assert not (tmp_path / "trials/000/seed1").exists()


def test_a_half_written_last_line_of_the_journal_is_forgotten(tmp_path):
    Study(tmp_path, sweep()).claim().release()
    with (tmp_path / "study.journal").open("a") as file:
        file.write('{"op_code":5,"wor')
    study = Study(tmp_path)
    assert len(study.trials) == 1
    with study.claim() as claim:
        claim.finish([{"mpjpe_mm": 1.0}], 1.0)
    assert Study(tmp_path).unfinished == 1


def test_a_trial_that_diverges_is_reported_and_the_others_go_on(tmp_path):
    Study(tmp_path, sweep(Axis.grid("lr=1e6,1e-3"), steps=20, optimizer="sgd"))
    said = []
    work(tmp_path, say=said.append)
    assert "lr=1e6: failed: none of 4 poses" in said[0]
    study = Study(tmp_path)
    failed, fine = read_rows(study)
    assert failed.note.startswith("failed: none of 4 poses")
    assert fine.errors["mpjpe_mm"]
    assert "| 1 | 1e6 |" in write_report(study)


class Boom(Exception):
    """Of a plugin's own making."""


CRASHES = {
    "a division by zero": (ZeroDivisionError("float division by zero"), "ZeroDivisionError at "),
    "an overflow": (FloatingPointError("overflow"), "FloatingPointError at "),
    "a singular matrix of torch": (torch.linalg.LinAlgError("svd: failed"), "_LinAlgError at "),
    "a singular matrix of numpy": (np.linalg.LinAlgError("SVD\ndid not"), "SVD did not"),
    "a GPU's memory": (torch.OutOfMemoryError("CUDA out of memory"), "OutOfMemoryError at "),
    "memory": (MemoryError(), "MemoryError at test_sweep.py:"),
    "a missing key": (KeyError("width"), "KeyError at test_sweep.py:"),
    "a wrong argument": (TypeError("not callable"), "TypeError at test_sweep.py:"),
}


def crashing(monkeypatch, error):
    """Trainings at lr 1e-3 crash, the others go as they should."""
    real = sweep_work.start

    def start(run, settings, **options):
        if settings.lr == 1e-3:
            raise error
        return real(run, settings, **options)

    monkeypatch.setattr(sweep_work, "start", start)


@pytest.mark.parametrize("what", CRASHES)
def test_a_point_that_crashes_is_a_row_and_the_others_are_trained(tmp_path, monkeypatch, what):
    error, said = CRASHES[what]
    Study(tmp_path, sweep())
    crashing(monkeypatch, error)
    work(tmp_path, say=quiet)
    failed, fine = read_rows(Study(tmp_path))
    assert failed.note.startswith(f"failed: {said}") and "\n" not in failed.note
    assert fine.errors["mpjpe_mm"]
    assert "Traceback" in (tmp_path / "trials" / "000" / "failed.txt").read_text()
    work(tmp_path, say=quiet)  # again: nothing is tried twice
    assert [row.note for row in read_rows(Study(tmp_path))] == [failed.note, ""]


def test_an_error_nobody_thought_of_ends_a_process_and_no_study(tmp_path, monkeypatch):
    Study(tmp_path, sweep())
    crashing(monkeypatch, Boom("its own words"))
    with pytest.raises(Boom):
        work(tmp_path, say=quiet)
    work(tmp_path, say=quiet)
    failed, fine = read_rows(Study(tmp_path))
    assert failed.note.startswith("failed: Boom at test_sweep.py:")
    assert failed.note.endswith(": its own words")
    assert fine.errors["mpjpe_mm"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_signal_and_a_full_disk_stop_the_study_and_are_no_trial_s_fault(
    tmp_path, monkeypatch, error
):
    study = Study(tmp_path, sweep())
    with monkeypatch.context() as broken:
        crashing(broken, error)
        with pytest.raises(type(error)):
            work(tmp_path, say=quiet)
    assert read_rows(study) == []
    work(tmp_path, say=quiet)
    assert [row.note for row in read_rows(Study(tmp_path))] == ["", ""]


def test_mean_and_spread_over_seeds_are_those_of_the_runs(tmp_path):
    """Three seeds of 10, 20 and 60 mm: mean 30, deviation sqrt((400 + 100 + 900) / 2) = 26.46."""
    study = Study(tmp_path, sweep(seeds=3))
    for errors in ((10.0, 20.0, 60.0), (50.0, 51.0, 52.0)):
        with study.claim() as claim:
            claim.finish([{"mpjpe_mm": e, "pa_mpjpe_mm": e / 2} for e in errors], 30.0)
    text = write_report(study)
    assert "| 1 | 1e-3 | 30.00 ± 26.46 | 15.00 ± 13.23 |" in text
    assert "Best: trial 1 (lr=1e-3)." in text
    assert "Within the spread over seeds of it: trial 2." in text
    table = [*csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text()))]
    assert [(row["trial"], row["seed"], float(row["mpjpe_mm"])) for row in table[:3]] == [
        ("1", "0", 10.0), ("1", "1", 20.0), ("1", "2", 60.0),
    ]  # fmt: skip
    assert "<td>30.00 ± 26.46</td>" in (tmp_path / "table.html").read_text()
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_says_how_much_worse_a_trial_is_over_the_same_sequences(tmp_path):
    """Two seeds each. Trial 2 is 2 mm worse on every sequence, trial 3 on half of them 12, else -8.

    The mean over the seeds counts: +5 mm with one seed and -1 with the other are +2.
    """
    hard = [20.0, 60.0, 100.0, 140.0] * 5
    names, group = [f"s{k:02}" for k in range(20)], ["all"] * 20
    study = Study(tmp_path, sweep(Axis.grid("lr=1e-3,2e-3,3e-3"), seeds=2))
    for trial, change in enumerate(
        (lambda k, seed: 0, lambda k, seed: (5, -1)[seed], lambda k, seed: (12, -8)[k % 2])
    ):
        with study.claim() as claim:
            for seed, run in enumerate(study.runs(trial)):
                errors = torch.tensor([[e + change(k, seed)] for k, e in enumerate(hard)])
                cells = {"mpjpe_mm": Cells.of(errors, names, group).to_dict()}
                run.mkdir()
                (run / "eval.json").write_text(json.dumps(EVALUATED | {"cells": cells}))
            mean = 80.0 + 2 * bool(trial)
            claim.finish([{"mpjpe_mm": mean}] * 2, mean)
    text = write_report(study)
    assert "worse than the best, 95 % over sequences" in text
    assert "| 2 | 2e-3 | 82.00 ± 0.00 | 2.00 to 2.00 |" in text
    assert ": not significant |" in text.splitlines()[4]


def test_points_are_drawn_by_number_within_their_limits(tmp_path):
    axes = (Axis.sample("lr=1e-5..1e-2:log"), Axis.sample("lifter.width=8..64"))
    drawn = []
    for name in ("one", "other"):
        study = Study(tmp_path / name, sweep(*axes, trials=14))
        points = []
        while (claim := study.claim()) is not None:
            with claim:
                points.append(claim.point)
                claim.finish([{"mpjpe_mm": 1.0}], abs(float(points[-1]["lr"]) - 1e-3))
        drawn.append(points)
    assert drawn[0] == drawn[1]
    assert len({point["lr"] for point in drawn[0]}) == 14
    assert all(1e-5 <= float(point["lr"]) <= 1e-2 for point in drawn[0])
    assert all(8 <= int(point["lifter.width"]) <= 64 for point in drawn[0])


def test_trials_are_ordinary_runs_and_a_finished_study_changes_no_more(tmp_path):
    Study(tmp_path, sweep(seeds=2))
    work(tmp_path, say=quiet)
    study = Study(tmp_path)
    write_report(study)
    run = RunFolder(tmp_path / "trials/001/seed1")
    assert (run.settings().lr, run.settings().seed) == (1e-2, 1)
    assert run.best.is_dir()

    def content():
        return {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()}

    before = content()
    work(tmp_path, say=quiet)
    write_report(Study(tmp_path))
    after = content()
    assert [str(p) for p in after if after[p] != before.get(p)] == []
    assert after.keys() == before.keys()


def test_several_processes_share_a_study(tmp_path, processes, monkeypatch):
    monkeypatch.setattr(
        "posezoo.training.processes.multiprocessing.get_context", lambda _: processes
    )
    Study(tmp_path, sweep(Axis.grid("lr=1e-3,2e-3,3e-3,4e-3")))
    said, counts = [], []
    work_together(tmp_path, 2, say=said.append, progress=lambda *of: counts.append(of))
    assert sorted(line.partition(":")[0] for line in said) == [
        f"trial {k}/4 lr={k}e-3" for k in (1, 2, 3, 4)
    ]
    assert all("mpjpe_mm" in line for line in said) and counts[-1] == (4, 4)
    study = Study(tmp_path)
    assert study.unfinished == 0
    assert len(study.trials) == 4
    logs = (tmp_path / "study.journal").read_text()
    assert len({line.split('"worker_id":"')[1][:36] for line in logs.splitlines()}) >= 3


def progress(folder):
    """Changes with whatever a run writes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def killed_after(changes, folder, processes):
    """Whether `work` was killed after it had written so many times (it had not ended before)."""
    process = processes.Process(target=work, args=(folder,), kwargs={"threads": 1, "say": quiet})
    process.start()
    last = None
    while changes and process.is_alive():
        try:
            now = progress(folder)
        except FileNotFoundError:  # renamed while we looked
            continue
        if now != last:
            last, changes = now, changes - 1
        time.sleep(0.001)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


@pytest.mark.slow
def test_a_study_killed_ten_times_ends_with_the_table_of_an_unbroken_one(tmp_path, processes):
    axes = (Axis.sample("lr=1e-4..1e-1:log"), Axis.grid("lifter.dropout=0,0.2"))
    definition = sweep(*axes, trials=8, prune=True, steps=6)
    tables = {}
    for name in ("unbroken", "killed"):
        folder = tmp_path / name
        Study(folder, definition)
        kills, rng = 0, random.Random(0)
        while name == "killed" and kills < 10:
            assert killed_after(rng.randint(1, 22), folder, processes), "it ended before the kill"
            kills += 1
        process = processes.Process(
            target=work, args=(folder,), kwargs={"threads": 1, "say": quiet}
        )
        process.start()
        process.join()
        assert process.exitcode == 0
        study = Study(folder)
        assert study.unfinished == 0
        write_report(study)
        tables[name] = {f: (folder / f).read_bytes() for f in ("table.csv", "table.md", "plot.png")}
        lost = sum("lost" in trial.user_attrs for trial in study.trials)
        assert (lost > 0) == (name == "killed")
    assert tables["killed"] == tables["unbroken"]
