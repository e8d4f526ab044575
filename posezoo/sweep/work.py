"""Working through a study's trials, in this process or in several."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from posezoo import registry
from posezoo.evaluation.evaluate import Evaluation
from posezoo.evaluation.evaluation_file import read_evaluation
from posezoo.evaluation.metric_table import METRICS, ranking_metric
from posezoo.evaluation.per_pose import Progress
from posezoo.sweep.study import Claim, Study
from posezoo.training.loggers import Logger
from posezoo.training.processes import run_in_processes
from posezoo.training.run_folder import RunFolder
from posezoo.training.runs import start
from posezoo.training.signals import stopping_to_go_on_by

# What training a point may end in through its own fault. Torch's out-of-memory is a RuntimeError, a
# singular matrix a RuntimeError (torch) or a ValueError (numpy). An error of another type ends the
# process, but not the study (`Claim`); a full disk and a signal are no point's fault.
_FAULTS = (
    ValueError,
    RuntimeError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    NameError,
    AssertionError,
    MemoryError,
)


def work(
    folder: Path,
    *,
    workers: int | None = None,
    plugins: Sequence[Path] = (),
    threads: int = 0,
    say: Callable[[str], None] = print,
    loggers: Sequence[Logger] = (),
) -> None:
    """Take trial after trial until none is free; the definition is in the folder.

    Raises:
        ValueError: no study there.
        Stopped: a signal asked for it; the trial in hand goes on from its checkpoint next time.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    if threads:
        torch.set_num_threads(threads)
    study = Study(folder)
    while (claim := study.claim()) is not None:
        with claim:
            with stopping_to_go_on_by(_again(folder)):
                _try(study, claim, workers, say, loggers)


def work_together(
    folder: Path,
    jobs: int,
    *,
    say: Callable[[str], None] = print,
    progress: Progress = lambda done, total: None,
    **options: Any,
) -> None:
    """`work` in `jobs` processes, which share the cores; this one says what has ended.

    `progress` is told how many of all trainings are done.

    Raises:
        ValueError: processes ended before the work was done.
        Stopped: a signal asked for it.
    """
    study = Study(folder)
    told = {trial.number for trial in study.trials if trial.state.is_finished()}

    def look() -> None:
        for trial in study.trials:
            if trial.state.is_finished() and trial.number not in told:
                told.add(trial.number)
                say(_ended(study, trial))
        done = sum(1 for _ in folder.glob("trials/*/seed*/eval.json"))
        progress(done, study.sweep.count * study.sweep.seeds)

    run_in_processes(work, jobs, folder, again=_again(folder), watch=look, say=_nothing, **options)


def _again(folder: Path) -> str:
    return f"posezoo sweep --study {folder}"


def _nothing(text: str) -> None:
    """Of a process whose lines would fall into another's bar."""


def _head(study: Study, number: int, point: Mapping[str, str]) -> str:
    words = " ".join(f"{name}={value}" for name, value in point.items())
    return f"trial {number + 1}/{study.sweep.count} {words}"


def _ended(study: Study, trial: Any) -> str:
    """A line on a trial that has ended: its mean error over the seeds, or why it has none."""
    head = _head(study, trial.number, study.point(trial))
    results = trial.user_attrs.get("results", [])
    if not results:
        return f"{head}: {trial.user_attrs.get('note', 'without a result')}"
    metric = METRICS[ranking_metric(*results) or ""]
    mean = statistics.fmean(each[metric.key] for each in results)
    return f"{head}: {metric.key} {mean:.2f}"


def _try(
    study: Study,
    claim: Claim,
    workers: int | None,
    say: Callable[[str], None],
    loggers: Sequence[Logger],
) -> None:
    head = _head(study, claim.number, claim.point)
    results: list[dict[str, float]] = []
    try:
        for seed in range(study.sweep.seeds):
            results.append(_train(study, claim, seed, workers, loggers))
            metric = METRICS[ranking_metric(results[0]) or ""]
            say(f"{head} seed {seed}: {metric.key} {results[-1][metric.key]:.2f}")
    except _Hopeless as found:
        claim.stop(found.step, found.error)
        say(f"{head}: stopped at step {found.step}, worse than the median")
    except _FAULTS as error:
        say(f"{head}: failed: {claim.fail(error)}")
    else:
        losses = [metric.loss(each[metric.key]) for each in results]
        claim.finish(results, sum(losses) / len(losses))


def _train(
    study: Study, claim: Claim, seed: int, workers: int | None, loggers: Sequence[Logger]
) -> dict[str, float]:
    """The errors of one run, trained from where it stands."""
    run = RunFolder(claim.path / f"seed{seed}")
    done = run.path / "eval.json"
    if done.is_file():
        found = read_evaluation(done)
        return {name: value for name, value in found.items() if isinstance(value, float)}
    if run.path.exists() and not run.exists:
        shutil.rmtree(run.path)  # killed before there was anything to go on from
    resume = run.exists
    run, settings = study.sweep.plan(claim.point, seed=seed, out=run.path, resume=resume)
    watch = [_Watch(claim, settings.steps, study.sweep.prune)] if seed == 0 else []
    evaluation = start(
        run,
        settings,
        device=study.sweep.device,
        workers=workers,
        resume=resume,
        loggers=[*loggers, *watch],
    )
    return evaluation.total


class _Hopeless(Exception):
    """A trial that will not be among the better half."""

    def __init__(self, step: int, error: float) -> None:
        super().__init__(step, error)
        self.step, self.error = step, error


class _Watch:
    """A logger that reports evaluations to the study, and ends a run that is hopeless.

    Never in the first half: by then stages and schedules have not shown what they can.
    """

    def __init__(self, claim: Claim, steps: int, prune: bool) -> None:
        self.claim, self.steps, self.prune = claim, steps, prune

    def note(self, text: str) -> None:
        """Notes are for people."""

    def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
        """Losses of different settings cannot be compared."""

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Report; the last one ends nothing."""
        metric = METRICS[ranking_metric(evaluation.total) or ""]
        error = metric.loss(evaluation.total[metric.key])
        worse = self.claim.report(step, error)
        if self.prune and worse and self.steps / 2 <= step < self.steps:
            raise _Hopeless(step, error)

    def close(self) -> None:
        """Nothing is kept open."""
