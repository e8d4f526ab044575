"""Bars on a terminal for what takes minutes: how far, how fast, and how long still.

They are drawn on stderr, so that what a command prints can be kept; into a file they draw nothing.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

import click
import rich.console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posezoo.evaluation.evaluate import Evaluation
from posezoo.ranks import here


class Bar:
    """One bar; call it with how many are done and of how many, as an evaluation does."""

    def __init__(self, what: str, total: int | None = None) -> None:
        console = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)
        self.what, self.begin = what, time.monotonic()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not (console.is_terminal and here().is_first),
            redirect_stdout=sys.stdout.isatty(),  # else what is printed is kept, not drawn
        )
        self.task = self.progress.add_task(what, total=total)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def __call__(self, done: int, total: int) -> None:
        """Move it, and say how fast it goes."""
        rate = done / max(time.monotonic() - self.begin, 1e-9)
        text = f"{self.what}, {rate:.0f}/s" if rate >= 1 else f"{self.what}, {60 * rate:.1f}/min"
        self.progress.update(self.task, completed=done, total=total, description=text)

    def measured(self, name: str) -> None:
        """One more is done, of a number that nobody knows; show the last one's name."""
        self.progress.update(self.task, advance=1, description=f"measured: {name}")


class Trainings(Bar):
    """A bar over trainings, and a logger of each: its step and rate."""

    def said(self, text: str) -> None:
        """A line on one that has ended, above the bar."""
        click.echo(text)
        self.progress.advance(self.task)

    def note(self, text: str) -> None:
        """The notes of every run would be too many."""

    def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
        """Show where the training in hand stands."""
        text = f"{self.what}, step {record['step']}, {timing['items_per_s']:.0f} items/s"
        self.progress.update(self.task, description=text)

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Errors are said when it has ended."""

    def close(self) -> None:
        """The bar goes on with the next."""
