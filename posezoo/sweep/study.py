"""The trials of a sweep in a folder: which are done, which free, and whose turn it is.

study.journal  Optuna's journal: the definition, and every trial's point, state and results
trials/007/    one trial's folder: a run folder for each seed
trials/007/.lock  held by the process that works on the trial; the system frees it when the process
               ends in whichever way, so a trial "running" without it was killed, and is taken up
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import filelock

from posezoo.sweep.definition import Axis, Sweep, difference
from posezoo.sweep.journal import definition, open_journal
from posezoo.whole_files import write_atomically

_LOSSES = 20  # so often may a process end while on a trial, without a checkpoint in between
_LONGEST_NOTE = 500  # characters; failed.txt has all of it


class Study:
    """A sweep's folder, opened by one of the processes that share it.

    Raises:
        ValueError: the folder has another sweep's study, or none and `sweep` is None.
        ImportError: Optuna is not installed.
    """

    def __init__(self, folder: Path, sweep: Sweep | None = None) -> None:
        self._optuna = _optuna()
        journal = folder / "study.journal"
        if sweep is None and not journal.is_file():
            raise ValueError(f"{folder}: no study there yet; give the pipeline and what to vary")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = filelock.FileLock(folder / ".lock")  # of the folder, not of a trial
        with self.lock:
            self.storage, self._study = open_journal(journal, self._optuna)
            kept = definition(journal, self._study)
            if kept is None:
                if sweep is None:
                    raise ValueError(f"{folder}: its study was never defined; give the pipeline")
                kept = sweep
                self._study.set_user_attr("sweep", sweep.to_dict())
        self.sweep = kept
        if sweep is not None and (wrong := difference(sweep, self.sweep)):
            raise ValueError(
                f"{folder} is the study of another sweep: {'; '.join(wrong)}. "
                "Leave them out to go on with it, or take another --study"
            )

    def claim(self) -> Claim | None:
        """The next trial that nobody works on, held until it is let go; None: there is none."""
        with self.lock:
            for number in range(len(self.trials)):
                if self.trials[number].state.is_finished():
                    continue
                claim = self._hold(number)
                if claim is None:
                    continue
                # Looked up again: it may have been finished just before its lock came free.
                if not self.trials[number].state.is_finished() and not claim.given_up():
                    return claim
                claim.release()
            number = len(self.trials)
            if number >= self.sweep.count:
                return None
            claim = self._hold(number)
            assert claim is not None, "a trial that does not exist yet is nobody's"
            values = self._point(number)
            self._study.add_trial(
                self._optuna.trial.create_trial(
                    state=self._optuna.trial.TrialState.RUNNING,
                    params=values,
                    distributions={axis.name: self._distribution(axis) for axis in self.sweep.axes},
                )
            )
            return claim

    @property
    def trials(self) -> list[Any]:
        """Optuna's own records, in the order in which they were begun."""
        found: list[Any] = self._study.get_trials(deepcopy=False)
        return found

    @property
    def unfinished(self) -> int:
        """How many points have neither a result nor a reason for having none."""
        return self.sweep.count - sum(trial.state.is_finished() for trial in self.trials)

    def point(self, trial: Any) -> dict[str, str]:
        """What a trial tries, as the command line would have it."""
        return {axis.name: axis.text(trial.params[axis.name]) for axis in self.sweep.axes}

    def runs(self, number: int) -> list[Path]:
        """The run folders of a trial, one a seed."""
        return [self._path(number) / f"seed{seed}" for seed in range(self.sweep.seeds)]

    def _path(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:03d}"

    def _hold(self, number: int) -> Claim | None:
        path = self._path(number)
        path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            return None
        return Claim(self, number, path, lock)

    def _point(self, number: int) -> dict[str, Any]:
        """The grid's next point, or one drawn by what the finished trials have shown.

        Drawn with the trial's number as seed: who draws it, and how often, changes nothing.
        """
        if not self.sweep.trials:
            return dict(self.sweep.points[number])
        sampler = self._optuna.samplers.TPESampler(seed=number)
        pending = self._optuna.trial.create_trial(state=self._optuna.trial.TrialState.RUNNING)
        pending.number = number
        drawn: dict[str, Any] = {}
        for axis in self.sweep.axes:
            value = sampler.sample_independent(
                self._study, pending, axis.name, self._distribution(axis)
            )
            if not axis.values:  # what is trained with is what is kept: six digits
                value = min(max(float(f"{value:.6g}"), axis.low), axis.high)
            drawn[axis.name] = int(value) if axis.whole else value
        return drawn

    def _distribution(self, axis: Axis) -> Any:
        kinds = self._optuna.distributions
        if axis.values:
            return kinds.CategoricalDistribution(axis.values)
        if axis.whole:
            return kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
        return kinds.FloatDistribution(axis.low, axis.high, log=axis.log)


class Claim:
    """A trial and the right to work on it, until it is released or the process ends."""

    def __init__(self, study: Study, number: int, path: Path, lock: filelock.BaseFileLock) -> None:
        self._study, self.number, self.path, self._lock = study, number, path, lock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Of a kind that nobody thought of: it ends this process, and the others go on without the
        # trial. A full disk and a vanished folder are no trial's fault.
        if isinstance(error, Exception) and not isinstance(error, OSError):
            self.fail(error)
        self.release()

    def release(self) -> None:
        """Let others have it."""
        self._lock.release()

    @property
    def point(self) -> dict[str, str]:
        """What it tries."""
        return self._study.point(self._study.trials[self.number])

    def report(self, step: int, error: float) -> bool:
        """Tell of an evaluation; whether it is worse than the median of the finished trials."""
        self._study.storage.set_trial_intermediate_value(self._id, step, error)
        study = self._study._study
        return bool(study.pruner.prune(study, self._study.storage.get_trial(self._id)))

    def finish(self, results: list[dict[str, float]], value: float) -> None:
        """Keep the errors of each seed, and the one number that samplers minimise."""
        self._end("COMPLETE", {"results": results}, [value])

    def stop(self, step: int, error: float) -> None:
        """It is hopeless."""
        self._end("PRUNED", {"note": f"stopped at step {step} with {error:.1f}"}, [error])

    def fail(self, why: BaseException | str) -> str:
        """It cannot be trained; an error's traceback is kept in `failed.txt`. Returns why."""
        if isinstance(why, BaseException):
            trace = "".join(traceback.format_exception(why))
            write_atomically(self.path / "failed.txt", trace.encode())
            why = _in_a_line(why)
        self._end("FAIL", {"note": f"failed: {why}"}, None)
        return why

    def given_up(self) -> bool:
        """Count a process that was lost on this trial; too many at one place, and it has failed."""
        files = sorted(
            [*self.path.glob("seed*/last/manifest.json"), *self.path.glob("*/eval.json")]
        )
        place = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
        lost = self._study.trials[self.number].user_attrs.get("lost", {})
        times = lost["times"] + 1 if lost.get("place") == place else 1
        if times < _LOSSES:
            attr = {"place": place, "times": times}
            self._study.storage.set_trial_user_attr(self._id, "lost", attr)
            return False
        self.fail(f"its process ended {times} times at the same place (out of memory?)")
        return True

    @property
    def _id(self) -> int:
        study, storage = self._study._study, self._study.storage
        study_id = storage.get_study_id_from_name(study.study_name)
        found: int = storage.get_trial_id_from_study_id_trial_number(study_id, self.number)
        return found

    def _end(self, state: str, facts: Mapping[str, Any], values: list[float] | None) -> None:
        storage = self._study.storage
        for name, fact in facts.items():
            storage.set_trial_user_attr(self._id, name, fact)
        states = self._study._optuna.trial.TrialState
        storage.set_trial_state_values(self._id, states[state], values)


def _in_a_line(error: BaseException) -> str:
    """Its text; for what was not written for users its type and place too."""
    text = " ".join(str(error).split())[:_LONGEST_NOTE]
    if isinstance(error, ValueError):
        return text
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    return f"{type(error).__name__}{place}: {text}"


def _optuna() -> ModuleType:
    try:
        import optuna  # noqa: PLC0415 - an extra, and half a second
    except ImportError as error:
        raise ImportError("a sweep needs Optuna: pip install 'posezoo[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
