"""Optuna's journal of a study: opened and checked, so that a damaged one is an error of one line.

Optuna reads each line as it comes, and trips over whatever is not its own with an error of its own
or of Python's. What posezoo keeps in a trial is compared with what it must be.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import filelock
import msgspec

from posezoo.hints import shown
from posezoo.sweep.definition import Sweep
from posezoo.typed_files import Count, parse_json, typed

_STARTUP = 4  # finished trials before any is stopped for being worse
# What Optuna raises on lines that it did not write.
_BROKEN = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
    NotImplementedError, AssertionError,
)  # fmt: skip


def open_journal(path: Path, optuna: ModuleType) -> tuple[Any, Any]:
    """Optuna's storage and study; both are made where there is none.

    Raises:
        ValueError: the journal is damaged.
    """
    lock = filelock.FileLock(f"{path}.lock")
    with lock:
        _mend(path)
        _check_end(path)
    backend = optuna.storages.journal.JournalFileBackend(str(path), lock_obj=lock)

    def opened() -> tuple[Any, Any]:
        storage = optuna.storages.JournalStorage(backend)
        known = {
            "storage": storage,
            "study_name": "sweep",
            "pruner": optuna.pruners.MedianPruner(n_startup_trials=_STARTUP),
        }
        if storage.get_all_studies():  # `load_if_exists` would write into the journal
            return storage, optuna.load_study(**known)
        return storage, optuna.create_study(**known)

    return _understood(path, opened, *_BROKEN, optuna.exceptions.OptunaError)


def definition(path: Path, study: Any) -> Sweep | None:
    """The sweep that the journal's study was defined as, if it was.

    Raises:
        ValueError: the journal is damaged: the definition, or a trial that is none of it.
    """
    kept = study.user_attrs.get("sweep")
    if kept is None:
        return None
    sweep = typed(kept, Sweep, where=f"{path}: sweep")
    if not sweep.axes:
        raise ValueError(f"{path}: damaged: its sweep varies nothing")
    names = {axis.name for axis in sweep.axes}
    for trial in _understood(path, lambda: study.get_trials(deepcopy=False), *_BROKEN):
        where = f"{path}: trial {shown(trial.number)}"
        if {*trial.params} != names:
            found = shown(", ".join(map(str, trial.params)), 100)
            wanted = shown(", ".join(sorted(names)), 100)
            raise ValueError(f"{where} is of {found or 'nothing'}, its sweep of {wanted}")
        typed(trial.params, dict[str, str | float], where=where)
        typed(trial.user_attrs, _Attributes, where=where)
    return sweep


class _Lost(msgspec.Struct):
    """How often a trial was lost at one place."""

    place: str
    times: Count


class _Attributes(msgspec.Struct):
    """What a trial keeps beside Optuna's own."""

    results: list[dict[str, float]] = []
    note: str = ""
    lost: _Lost | None = None


def _understood(path: Path, read: Callable[[], Any], *broken: type[Exception]) -> Any:
    try:
        return read()
    except broken as error:
        why = shown(f"{type(error).__name__}: {error}", 200)
        raise ValueError(
            f"{path}: damaged ({why}); begin the sweep anew with another --study"
        ) from error


def _check_end(path: Path) -> None:
    """Optuna forgives a last line that is no JSON, and trips over it once another one follows."""
    lines = path.read_bytes().splitlines() if path.is_file() else []
    if lines:
        parse_json(lines[-1].decode(errors="replace"), where=f"{path}: line {len(lines)}")


def _mend(path: Path) -> None:
    """Cut off a last line that a lost machine left half written; Optuna would trip over it."""
    if path.is_file():
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)
