"""`posezoo list`. The module is not called `list`: it would hide the builtin in its package."""

from __future__ import annotations

import json
from pathlib import Path

import click

from posezoo import registry
from posezoo.cli.options import plugin_option
from posezoo.cli.tables import print_table
from posezoo.hints import did_you_mean


@click.command(
    "list",
    epilog="\b\nExamples:\n  posezoo list --kind backbone\n  posezoo list 'resnet*' --json",
)
@click.argument("pattern", required=False)
@click.option("--kind", type=click.Choice(registry.KINDS), help="Only entries of this kind.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
@plugin_option
def list_entries(
    pattern: str | None, kind: str | None, as_json: bool, plugins: tuple[Path, ...]
) -> None:
    """List the zoo, or the entries whose key fits PATTERN. Imports neither torch nor plugins."""
    for file in plugins:
        registry.load_plugin_file(file)
    found = registry.entries(kind=kind, match=pattern)
    if as_json:
        click.echo(json.dumps([_as_json(entry) for entry in found], indent=2))
    else:
        rows = [(entry.kind, entry.key, entry.summary, entry.origin) for entry in found]
        print_table(rows, headings=("kind", "key", "summary", "origin"))
    if not found and pattern:
        click.echo(_nothing_fits(pattern), err=True)
    for problem in registry.problems():
        click.echo(f"warning: plugin left out: {problem}", err=True)


def _nothing_fits(pattern: str) -> str:
    kind = pattern.lower().removesuffix("s")
    if kind in registry.KINDS:
        return f"no key fits '{pattern}', which is a kind: posezoo list --kind {kind}"
    return f"no key fits '{pattern}'.{did_you_mean(pattern, [e.key for e in registry.entries()])}"


def _as_json(entry: registry.Entry) -> dict[str, object]:
    return {
        "kind": entry.kind,
        "key": entry.key,
        "summary": entry.summary,
        "origin": entry.origin,
        "licence": entry.licence,
        "paper": entry.paper,
        **entry.facts,
    }
