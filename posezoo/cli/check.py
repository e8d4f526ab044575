"""`posezoo check`: whether an entry keeps the promises of its kind."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posezoo import registry
from posezoo.cli.options import plugin_option
from posezoo.cli.tables import print_table

if TYPE_CHECKING:
    from posezoo.testing import Outcome

_EPILOG = """\b
Examples:
  posezoo check martinez:width=64
  posezoo check --all --kind strategy
"""


@click.command(epilog=_EPILOG)
@click.argument("key", required=False)
@click.option("--kind", type=click.Choice(registry.KINDS), help="Only an entry of this kind.")
@click.option("--all", "everything", is_flag=True, help="Every entry, of --kind or of all kinds.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
@plugin_option
def check(
    key: str | None, kind: str | None, everything: bool, as_json: bool, plugins: tuple[Path, ...]
) -> None:
    """Check that the entry KEY keeps its contract, with small data, in seconds.

    KEY may have parameters, and must have those that an entry needs: mocap:path=poses17.h5. What
    is reported breaks nothing. Exit code 1 if a check fails.
    """
    if (key is None) != everything:
        raise click.UsageError("expected KEY, or --all")
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.testing import run_checks

    failed, found = False, []
    for entry in registry.entries(kind=kind) if key is None else (key,):
        try:
            outcomes = run_checks(entry, kind=kind)
        except registry.SpecError as error:  # of --all: an entry that needs a file
            if key is not None:
                raise
            click.echo(f"{entry}: not checked: {error}", err=True)
            continue
        failed |= any(outcome.result == "failed" for outcome in outcomes)
        found += outcomes
        if not as_json:
            _print(outcomes, brief=everything)
    if as_json:
        click.echo(json.dumps([outcome.to_dict() for outcome in found], indent=1))
    if failed:
        click.get_current_context().exit(1)


def _print(outcomes: list[Outcome], *, brief: bool) -> None:
    """All checks of an entry in a table; brief: those that failed, and a line."""
    rows = [
        (str(number), outcome.check, _shown(outcome), outcome.note)
        for number, outcome in enumerate(outcomes, 1)
        if not brief or outcome.result == "failed"
    ]
    if rows:
        print_table(rows, headings=("", "check", "", "found"))
    click.echo(f"{outcomes[0].entry}: {_counted(outcome.result for outcome in outcomes)}")


def _shown(outcome: Outcome) -> str:
    return outcome.result.upper() if outcome.result == "failed" else outcome.result


def _counted(results: Iterable[str]) -> str:
    names = [*results]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
