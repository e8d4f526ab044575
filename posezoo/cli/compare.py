"""`posezoo compare`: runs beside each other, ranked where their numbers allow it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posezoo.evaluation.metric_table import COMPARED, METRICS, Metric
from posezoo.hints import shown

if TYPE_CHECKING:
    from posezoo.evaluation.compare import Difference, Score

_EPILOG = """\b
Examples:
  posezoo train martinez --data mocap:path=poses17.h5 --steps 10 --out runs/one
  posezoo train semgcn --data mocap:path=poses17.h5 --steps 10 --out runs/two
  posezoo compare runs/one runs/two
  posezoo eval runs/two --json > two.json && posezoo compare runs/one two.json --json
"""

_HEADINGS = (
    "run",
    *(x for label in COMPARED.values() for x in (label, "95 %")),
    "poses",
    "protocol",
)


@click.command(epilog=_EPILOG)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def compare(ctx: click.Context, runs: tuple[Path, ...], as_json: bool) -> None:
    """Compare run folders, or files that `posezoo eval --json` printed.

    Ends with exit code 1 where the numbers cannot be ranked, and says what would make them
    comparable.
    """
    from posezoo.cli.tables import print_table
    from posezoo.evaluation.compare import compare as rank
    from posezoo.evaluation.compare import read_score

    found = rank([read_score(run) for run in runs])
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1))
        ctx.exit(1 if found.obstacles else 0)
    print_table([_row(score) for score in found.scores], headings=_HEADINGS)
    for score in found.scores:
        if "pipeline" in score.result:
            click.echo(f"{score.path}: {shown(score.result['pipeline'], 500)}")
    if found.obstacles:
        click.echo("Not ranked: these numbers cannot be compared.", err=True)
        for line in found.obstacles:
            click.echo(f"  {shown(line, 1000)}", err=True)
        if found.commands:
            click.echo("Comparable after:", err=True)
        for line in found.commands:
            click.echo(f"  {shown(line, 1000)}", err=True)
        ctx.exit(1)
    click.echo(f"Best: {found.scores[0].path}")
    for each in found.differences:
        click.echo(f"  {_in_words(each, METRICS[found.metric])}")


def _in_words(found: Difference, metric: Metric) -> str:
    """By how much a run is worse, and whether that may be chance."""
    if math.isinf(found.low):  # of an older version, without its errors by sequence
        how = (
            "its interval is apart"
            if found.significant
            else "intervals overlap, or one sequence only"
        )
    else:
        how = f"95 % {found.low:.2f} to {found.high:.2f}, over the same sequences"
    verdict = "" if found.significant else ": not significant"
    return f"{found.score.path} is {found.mean:.2f} {metric.unit} worse ({how}){verdict}"


def _row(score: Score) -> tuple[str, ...]:
    cells = []
    for name in COMPARED:
        known = name in score.result
        cells.append(f"{score.result[name]:.2f}" if known else "")
        cells.append("{:.2f} to {:.2f}".format(*score.interval(name)) if known else "")
    return (str(score.path), *cells, str(score.result["samples"]), score.protocol)
