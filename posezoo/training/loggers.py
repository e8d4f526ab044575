"""Who hears of a run's progress: its own log files always, TensorBoard where it is installed."""

from __future__ import annotations

import os
import socket
import time
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from posezoo.evaluation.evaluate import Evaluation
from posezoo.training.run_folder import RunFolder
from posezoo.whole_files import naming


class Logger(Protocol):
    """Hears of notes, logged steps and evaluations, in the order in which they happen."""

    def note(self, text: str) -> None:
        """A sentence for people."""
        ...

    def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
        """Losses and rate of a step, and how fast it went."""
        ...

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Errors on the val split, while training."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class JsonLines:
    """Writes `metrics.jsonl` and `timing.jsonl`."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def note(self, text: str) -> None:
        """Notes are for people."""

    def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
        """One line each."""
        self.run.log(record)
        self.run.log_timing({"step": record["step"], **timing})

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """One line."""
        record = {"step": step, "val": evaluation.total, "samples": evaluation.samples}
        if evaluation.not_finite:
            record["not_finite"] = list(evaluation.not_finite)
        self.run.log(record)

    def close(self) -> None:
        """Every line is on disk already."""


class TensorBoard:
    """Writes TensorBoard events, in the caller's own thread: torch's writer has one beside it.

    A disk that is full is then an OSError where it is met, and no traceback of a thread.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def file(self) -> Path:
        """Begun when there is something to write; each process that goes on begins another.

        TensorBoard reads them by name, and none that comes before one it has read: so a clock that
        was put back does not count.
        """
        host, moments = socket.gethostname(), [int(time.time())]
        for path in self.folder.glob("events.out.tfevents.*"):
            earlier = path.name.split(".")[3]
            moments.append(int(earlier) + 1 if earlier.isdecimal() else 0)
        moment = max(moments)
        path = self.folder / f"events.out.tfevents.{moment:010d}.{host}.{os.getpid()}.0"
        self.folder.mkdir(exist_ok=True)
        self._append(path, [{"file_version": "brain.Event:2"}])
        return path

    @staticmethod
    def installed() -> bool:
        """Whether the package is there."""
        return find_spec("tensorboard") is not None

    def note(self, text: str) -> None:
        """Notes are for people."""

    def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
        """A scalar of every number."""
        numbers = {k: v for k, v in (record | timing).items() if isinstance(v, float)}
        self._scalars("train", numbers, record["step"])

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """A scalar of every error."""
        self._scalars("val", evaluation.total, step)

    def close(self) -> None:
        """Every event is on disk already."""

    def _scalars(self, group: str, values: dict[str, float], step: int) -> None:
        from torch.utils.tensorboard.summary import scalar  # noqa: PLC0415 - takes a second

        events = [
            {"step": step, "summary": scalar(f"{group}/{name}", value)}
            for name, value in values.items()
        ]
        self._append(self.file, events)

    @staticmethod
    def _append(path: Path, events: list[dict[str, Any]]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 - an optional package
        from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: PLC0415 - too

        with naming(path), path.open("ab") as file:
            writer = RecordWriter(file)
            for event in events:
                writer.write(Event(wall_time=time.time(), **event).SerializeToString())
