"""What a training and an evaluation look like in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import click
import rich.console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posezoo.cli.tables import print_table
from posezoo.data.complete import describe_left_out
from posezoo.evaluation.attribution import Attribution
from posezoo.evaluation.evaluate import Evaluation
from posezoo.evaluation.metric_table import METRICS, Metric, ranking_metric
from posezoo.registry import parse_node
from posezoo.training.run_folder import RunFolder

_SHOWN = 5  # people or poses that a line names


class Console:
    """A logger with a progress bar; plain lines where the output is not a terminal."""

    def __init__(self, steps: int) -> None:
        self.console = rich.console.Console(highlight=False, soft_wrap=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.progress.add_task("starting", total=steps)
        self.steps, self.error, self.rate = steps, "", ""

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

    def note(self, text: str) -> None:
        """A line above the bar."""
        self.console.print(escape(text))

    def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
        """Move the bar."""
        self.rate = f"{timing['items_per_s']:.0f} items/s"
        text = f"loss {record['loss']:.4g} {self.error} {self.rate}"
        self.progress.update(self.task, completed=record["step"], description=text)

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """A line of errors."""
        total = evaluation.total
        self.error = f"{total[ranking_metric(total) or '']:.1f}"
        shown = [METRICS[key] for key in total if METRICS[key].progress]
        errors = "  ".join(f"{metric.label} {total[metric.key]:.2f}" for metric in shown)
        self.note(f"step {step}/{self.steps}  val: {errors}  ({self.rate})")

    def close(self) -> None:
        """The bar stops when the context ends."""

    def evaluating(self, done: int, total: int) -> None:
        """Move the bar of the evaluation at the end."""
        text = f"evaluating the best checkpoint {self.rate}"
        self.progress.update(self.task, completed=done, total=total, description=text)

    def report(self, run: RunFolder, evaluation: Evaluation) -> None:
        """What came of the run."""
        print_evaluation(evaluation)
        self.note(f"run folder: {run.path}  (figures/, best/, metrics.jsonl)")
        self.note(f"again: posezoo eval {run.path}  (--detail: by action, subject and joint)")


def print_evaluation(evaluation: Evaluation, *, detail: bool = False) -> None:
    """Errors as a table: in all, after those by action, subject and joint where they are asked."""
    columns = [METRICS[key] for key in evaluation.total if METRICS[key].column]
    labels = [metric.label for metric in columns]
    groups = {"all": {"": evaluation.total}}
    if detail:
        groups = {
            "action": evaluation.per_action,
            "subject": evaluation.per_subject,
            "joint": evaluation.per_joint,
            **groups,
        }
    rows = [
        (f"{kind} {name}", *(_cell(errors, metric) for metric in columns))
        for kind, group in groups.items()
        for name, errors in group.items()
    ]
    print_table(rows, headings=("", *labels))
    for metric in columns:
        if metric.ranks:
            low, high = evaluation.interval[metric.key]
            click.echo(f"{metric.label}: {low:.2f} to {high:.2f} (95 %, bootstrap over sequences)")
    others = [METRICS[key] for key in evaluation.total if not METRICS[key].column]
    if others:
        values = (f"{m.name} {evaluation.total[m.key]:.2f} {m.unit}" for m in others)
        click.echo("; ".join(values))
    protocol = evaluation.protocol
    click.echo(f"pipeline {evaluation.pipeline}")
    click.echo(
        f"{evaluation.samples} poses of {evaluation.data}; "
        f"protocol {protocol.key} ({protocol.hash}): {protocol.summary}; "
        f"ground-truth inputs: {', '.join(evaluation.ground_truth_inputs)}"
    )
    say_what_does_not_count(evaluation)
    _warn_of_people_seen(evaluation)


def say_what_does_not_count(result: Evaluation | Attribution) -> None:
    """Say which poses were left out, and which have no error."""
    if result.left_out:
        click.echo(describe_left_out(result.left_out, result.data_poses))
    warn_of_not_finite(result.not_finite, result.samples)


def warn_of_not_finite(names: Sequence[str], samples: int) -> None:
    """Say which poses have no error."""
    if names:
        shown = "; ".join(names[:_SHOWN]) + "; ..." * (len(names) > _SHOWN)
        click.echo(f"NOT FINITE, and in no mean: {len(names)} of {samples} poses: {shown}")


def print_inputs(evaluations: Sequence[Evaluation]) -> None:
    """The errors of one lifter by the 2D joints that it was given, true or of a detector."""
    columns = [METRICS[key] for key in evaluations[0].total if METRICS[key].compared]
    columns = [metric for metric in columns if all(metric.key in e.total for e in evaluations)]
    rows = [
        (
            parse_node(each.data).params.get("joints2d", "true"),
            *(_cell(each.total, metric) for metric in columns),
            str(each.samples),
        )
        for each in evaluations
    ]
    print_table(rows, headings=("2D joints", *(metric.label for metric in columns), "poses"))


def _warn_of_people_seen(evaluation: Evaluation) -> None:
    """Say it where the errors are of people whom the run knows."""
    seen, people = evaluation.seen_people, len(evaluation.per_subject)
    if seen is None:
        click.echo("Whether it was trained on these people is not known: its data are not here.")
    elif seen:
        shown = ", ".join(seen[:_SHOWN]) + ", ..." * (len(seen) > _SHOWN)
        click.echo(
            f"TRAINED ON {len(seen)} of these {people} people ({shown}): "
            "this is not the error on people who are new to it."
        )


def _cell(errors: dict[str, float], metric: Metric) -> str:
    """Blank where the group has no such error."""
    value = errors.get(metric.key)
    return ("" if value is None else f"{value:.2f}").rjust(len(metric.label))
