"""The folder of one run: who may write to it, its settings, and its log.

run.toml         the settings and the environment: what is needed to repeat the run
metrics.jsonl    one line per logged step and per evaluation; no clock times, so that two runs
                 with one seed write the same file
timing.jsonl     pictures (or poses) per second, and the share of time spent waiting for data
last/ best/      checkpoints (posezoo.training.checkpoint)
eval.json        errors of the best checkpoint on the whole val split
figures/         pictures of predictions
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import MISSING, asdict, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import filelock
import msgspec
import tomli_w
import torch

import posezoo
from posezoo.hints import did_you_mean, shown
from posezoo.ranks import here, job
from posezoo.registry import SpecError
from posezoo.settings import Settings
from posezoo.training.checkpoint import is_there, settle
from posezoo.typed_files import decode, parse_json, read_text, typed
from posezoo.whole_files import fsync, name_beside, naming, write_atomically

_SHOWN = 5  # runs that an error names


class RunFolder:
    """One run's folder, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last, self.best = path / "last", path / "best"
        self.figures = path / "figures"
        self._run, self._metrics = path / "run.toml", path / "metrics.jsonl"
        self._timing = path / "timing.jsonl"

    @property
    def exists(self) -> bool:
        """Whether a run has been started here."""
        return self._run.is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the lock goes with the process, however it ends.

        Raises:
            ValueError: another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise ValueError(
                f"{self.path}: another run is writing here. Wait for it, or take another --out"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a state to resume from."""
        return is_there(self.last)

    def settle(self) -> list[str]:
        """Clear up after a kill; says which checkpoint had to take the place of another.

        Raises:
            ValueError: a checkpoint is damaged, and none beside it is whole.
        """
        for path in self.path.glob(".*.new.*"):
            path.unlink()
        return [said for folder in (self.last, self.best) if (said := settle(folder))]

    def start(
        self,
        settings: Settings,
        *,
        weights: Sequence[str] = (),
        notes: Sequence[str] = (),
        data: Mapping[str, str] | None = None,
    ) -> None:
        """Write `run.toml` of a new run.

        `weights` are what it starts from, `notes` what they are; `data` are the fingerprints of
        the files that it reads.

        Raises:
            ValueError: the folder is not empty.
        """
        ours = {".lock", name_beside(self._run).name}  # the second: killed while it began
        taken = sorted(p.name for p in self.path.iterdir() if p.name not in ours)
        if taken:
            what = "already holds a run" if self.exists else f"is not empty ({taken[0]})"
            hint = "add --resume to go on with it, or " if self.exists else ""
            raise ValueError(f"{self.path} {what}: {hint}give another --out")
        tables: dict[str, Any] = {"settings": asdict(settings), "environment": environment()}
        tables["environment"] |= {"ranks": here().size, "job": job()}
        if weights:
            tables["weights"] = {"sources": [*weights], "notes": [*notes]}
        if data:
            tables["data"] = dict(data)
        write_atomically(self._run, tomli_w.dumps(tables).encode())

    def settings(self) -> Settings:
        """The settings in `run.toml`.

        Raises:
            ValueError: there is no run here, or its file is damaged.
        """
        if not self.exists:
            raise ValueError(f"{self.path}: no run here (run.toml is missing){self.nearby()}")
        run = decode(self._run, _Run)
        known = {f.name for f in fields(Settings)}
        needed = {f.name for f in fields(Settings) if f.default is MISSING}
        wrong = (
            [f"it has no {', '.join(some)}"]
            if (some := sorted(needed - run.settings.keys()))
            else []
        )
        if strange := sorted(run.settings.keys() - known):
            wrong.append(f"its {', '.join(map(shown, strange))} is unknown here")
        if wrong:
            written = shown(run.environment.versions.get("posezoo", "unknown"))
            raise ValueError(
                f"{self._run}: written by posezoo {written}, this is {posezoo.__version__}:"
                f" {'; '.join(wrong)}. Use that version, or train again"
            )
        # A setting that is younger than the run is by default what the run did without it.
        try:
            return Settings(**run.settings)
        except SpecError as error:  # types or limits
            raise ValueError(f"{self._run}: {shown(error, 1000)}") from error

    def nearby(self) -> str:
        """A sentence on runs that may be meant, or on how one is made; led by a full stop."""
        if (self.path.parent / "run.toml").is_file():
            return f". {self.path.name} is a part of a run: name the run, {self.path.parent}"
        if inside := sorted(str(found.parent) for found in self.path.glob("*/run.toml")):
            return f". Runs in it: {', '.join(inside)}"
        beside = [found.parent for found in self.path.parent.glob("*/run.toml")]
        if hint := did_you_mean(self.path.name, [each.name for each in beside]):
            return f".{hint}"
        known = sorted({*beside, *(found.parent for found in Path("runs").glob("*/run.toml"))})
        if known:
            more = ", ..." * (len(known) > _SHOWN)
            return f". Runs here: {', '.join(map(str, known[:_SHOWN]))}{more}"
        return f". posezoo train PIPELINE --out {self.path} makes one"

    def require_same_data(self, data: Mapping[str, str]) -> None:
        """Compare the fingerprints of files with those of the run's start, where it has any.

        Raises:
            ValueError: a file is not what it was.
        """
        then = decode(self._run, _Run).data
        if changed := [path for path in data if then.get(path, data[path]) != data[path]]:
            raise ValueError(
                f"{changed[0]}: changed since the run in {self.path} began, which cannot go on "
                "with other data. Bring the file back, or start a new run with another --out"
            )

    @property
    def job(self) -> str:
        """The torchrun that began the run; "": none did."""
        return decode(self._run, _Run).environment.job

    def weights(self) -> list[str]:
        """What the run started from, as it was given."""
        return decode(self._run, _Run).weights.sources

    @property
    def commit(self) -> str:
        """Of the code that began the run."""
        return decode(self._run, _Run).environment.commit

    def records(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`, each with its step.

        Raises:
            ValueError: one of them is something else.
        """
        if not self._metrics.is_file():
            return []
        records = []
        for number, line in enumerate(read_text(self._metrics).splitlines(), 1):
            where = f"{self._metrics}: line {number}"
            records.append(parse_json(line, where=where, constant=float))
            typed(records[-1], _Line, where=where)
        return records

    def rewind(self, step: int) -> None:
        """Drop what was logged after `step`, at which the run goes on from its checkpoint."""
        for path in (self._metrics, self._timing):
            if path.is_file():
                lines = read_text(path).splitlines(keepends=True)
                kept = [line for line in lines if line.endswith("\n")]
                kept = [
                    line
                    for number, line in enumerate(kept, 1)
                    if _step(line, where=f"{path}: line {number}") <= step
                ]
                write_atomically(path, "".join(kept).encode())

    def flush(self) -> None:
        """Put the log on disk: a checkpoint is never newer than the lines before it."""
        for path in (self._metrics, self._timing):
            if path.is_file():
                fsync(path)

    def log(self, record: dict[str, Any]) -> None:
        """Add a line to `metrics.jsonl`."""
        self._append(self._metrics, record)

    def log_timing(self, record: dict[str, Any]) -> None:
        """Add a line to `timing.jsonl`."""
        self._append(self._timing, record)

    def save_evaluation(self, result: dict[str, Any]) -> None:
        """Write `eval.json`, the errors of the best checkpoint."""
        write_atomically(self.path / "eval.json", json.dumps(result, indent=1).encode())

    @staticmethod
    def _append(path: Path, record: dict[str, Any]) -> None:
        with naming(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


class _Environment(msgspec.Struct):
    """What `environment` wrote, as far as it is read."""

    commit: str = ""
    job: str = ""
    versions: dict[str, str] = {}


class _Weights(msgspec.Struct):
    """What a run started from."""

    sources: list[str] = []


class _Run(msgspec.Struct):
    """run.toml."""

    settings: dict[str, Any]
    environment: _Environment = msgspec.field(default_factory=_Environment)
    weights: _Weights = msgspec.field(default_factory=_Weights)
    data: dict[str, str] = {}


class _Line(msgspec.Struct):
    """A line of a log."""

    step: int


def _step(line: str, *, where: str) -> int:
    return typed(parse_json(line, where=where, constant=float), _Line, where=where).step


def environment() -> dict[str, Any]:
    """Versions, hardware and threads: numbers of runs differ with all of them."""
    packages = ("posezoo", "torch", "numpy", "h5py", "triton")
    versions = {}
    for package in packages:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "gpu": gpu,
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "versions": versions,
    }


def processor_name() -> str:
    """What the CPU is called, and how many cores the machine has."""
    name, cpuinfo = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.is_file() else ():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
            break
    return f"{name}, {os.cpu_count()} cores"


def _commit() -> str:
    """The commit of the checkout that this code runs from; "" where there is none."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()
