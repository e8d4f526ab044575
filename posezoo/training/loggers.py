"""Who hears of a run's progress: its own log files always, TensorBoard where it is installed."""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from posezoo.evaluation.evaluate import Evaluation
from posezoo.training.run_folder import RunFolder


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
    """Writes TensorBoard events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def writer(self) -> Any:
        """Made when there is something to write: it makes the folder, and takes a second."""
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - see above

        return SummaryWriter(str(self.folder))

    @staticmethod
    def installed() -> bool:
        """Whether the package is there."""
        return find_spec("tensorboard") is not None

    def note(self, text: str) -> None:
        """Notes are for people."""

    def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
        """A scalar of every number."""
        numbers = {k: v for k, v in (record | timing).items() if isinstance(v, float)}
        for name, value in numbers.items():
            self.writer.add_scalar(f"train/{name}", value, record["step"])

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """A scalar of every error."""
        for name, value in evaluation.total.items():
            self.writer.add_scalar(f"val/{name}", value, step)

    def close(self) -> None:
        """Flush."""
        self.writer.close()
