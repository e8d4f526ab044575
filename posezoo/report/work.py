"""Working through a report's trainings, in this process or in several."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import filelock
import torch
from safetensors.torch import save

from posezoo.evaluation.detections import fit_errors
from posezoo.evaluation.evaluate import evaluate
from posezoo.evaluation.metric_table import COMPARED
from posezoo.evaluation.open_run import open_run
from posezoo.evaluation.protocol import find_protocol
from posezoo.report.cost import measure
from posezoo.report.trials import Trial, Trials
from posezoo.settings import Settings
from posezoo.training.checkpoint import load_pipeline
from posezoo.training.devices import pick_device
from posezoo.training.loggers import Logger
from posezoo.training.processes import run_in_processes
from posezoo.training.run_folder import RunFolder
from posezoo.training.runs import start
from posezoo.training.signals import stopping_to_go_on_by
from posezoo.whole_files import write_atomically

_SEEN_SAMPLES = 400  # poses of people trained on, for the gap
_FIT_SAMPLES = 2000  # poses for the error model


def work(
    trials: Trials,
    *,
    workers: int | None = None,
    threads: int = 0,
    say: Callable[[str], None] = print,
    loggers: Sequence[Logger] = (),
) -> None:
    """Train what nobody has trained and nobody else is training."""
    if threads:
        torch.set_num_threads(threads)
    for trial in list(trials):  # what cannot be planned is refused before anything is trained
        with _held(trial.run.path) as mine:
            if mine and not trial.done and not trial.failure:
                with stopping_to_go_on_by(_again(trials)):
                    _try(trials, trial, workers, say, loggers)


def work_together(trials: Trials, jobs: int, *, workers: int | None) -> None:
    """`work` in `jobs` processes, which share the cores.

    Raises:
        ValueError: processes ended before the work was done.
        Stopped: a signal asked for it.
    """
    run_in_processes(work, jobs, trials, again=_again(trials), workers=workers or 0)


def _again(trials: Trials) -> str:
    return f"the same command, --out {trials.folder}"


def _try(
    trials: Trials,
    trial: Trial,
    workers: int | None,
    say: Callable[[str], None],
    loggers: Sequence[Logger],
) -> None:
    head = f"{trial.row.key}: {trial.variant}, seed {trial.seed}"
    try:
        if str(trials.errors) in trial.settings.strategy:
            _make_errors(trials, workers)
        _train(trials, trial, workers, loggers)
    except (ValueError, RuntimeError) as error:  # torch's out-of-memory is a RuntimeError
        why = " ".join(str(error).split())
        trial.run.path.mkdir(parents=True, exist_ok=True)
        write_atomically(trial.run.path / "failed.txt", why.encode())
        say(f"{head}: failed: {why}")
        return
    total = trial.read("eval")
    say(head + "".join(f", {k} {total[k]:.2f}" for k in COMPARED if k in total))


def _train(trials: Trials, trial: Trial, workers: int | None, loggers: Sequence[Logger]) -> None:
    where = pick_device(trials.device)
    if not trial.run.exists and trial.run.path.exists():
        shutil.rmtree(trial.run.path)  # killed before there was anything to go on from
    _finish(trials, trial.settings, workers, loggers)
    trial.write("cost", measure(trial.settings, where).to_dict())
    trial.write("seen", _on_people_trained_on(trial, where))


def _on_people_trained_on(trial: Trial, where: torch.device) -> dict[str, float]:
    """Errors on those people, each pose shown as test people are: once and unvaried."""
    run = open_run(trial.run.path, data=trial.seen_data, device=where)
    return evaluate(
        run.pipeline,
        run.dataset,
        find_protocol("poses"),
        data=str(run.data),
        batch_size=run.settings.batch_size,
        device=where,
        bf16=run.bf16,
        max_samples=_SEEN_SAMPLES,
    ).total


def _make_errors(trials: Trials, workers: int | None) -> None:
    """Train a detector that leaves people out, and fit the error model to those people."""
    trials.folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{trials.errors}.lock"):
        if trials.errors.is_file():
            return
        run = _finish(trials, trials.report.detector_for_errors(device=trials.device), workers)
        where = pick_device(trials.device)
        model, _ = fit_errors(run.path, limit=_FIT_SAMPLES, device=where)
        model.save(trials.errors)


def _make_start(trials: Trials, settings: Settings, file: Path, workers: int | None) -> None:
    """Train the detector that the others start from, and keep its backbone."""
    trials.folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{file}.lock"):
        if not file.is_file():
            run = _finish(trials, settings, workers)
            weights = load_pipeline(run.path).backbone.state_dict()
            write_atomically(file, save(weights))


def _finish(
    trials: Trials, settings: Settings, workers: int | None, loggers: Sequence[Logger] = ()
) -> RunFolder:
    """Train and evaluate a run, or go on with it, unless that is done."""
    run = RunFolder(trials.path(settings))
    if (run.path / "eval.json").is_file():
        return run
    weights = None
    if settings != trials.start:
        weights = trials.weights_for(settings)
        if weights and trials.start:
            _make_start(trials, trials.start, weights, workers)
    start(
        run,
        settings,
        device=trials.device,
        workers=workers,
        resume=run.exists,
        weights=[f"backbone={weights}"] if weights else (),
        loggers=loggers,
        draw=False,
    )
    return run


@contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Whether the right to work on a trial is to be had; the system frees it with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(f"{path}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
