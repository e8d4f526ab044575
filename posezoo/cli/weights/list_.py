"""`posezoo weights list`: what is known by name, and what is on this machine."""

from __future__ import annotations

import json
from typing import Any

import click

from posezoo.cli.tables import print_table


@click.command(
    "list",
    epilog="\b\nExamples:\n  posezoo weights list\n  posezoo weights list --json",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
def list_weights(as_json: bool) -> None:
    """List weights that can be fetched, and those in the user's cache."""
    rows = _rows()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    cells = [
        (row["name"], row["spec"], row["licence"], row["path"] or f"not here: {row['command']}")
        for row in rows
    ]
    print_table(cells, headings=("name", "for", "licence", "where"))


def _rows() -> list[dict[str, Any]]:
    from posezoo.weights.card import weights_card
    from posezoo.weights.index import known_weights
    from posezoo.weights.store import all_stored

    return [weights_card(name) for name in sorted({*known_weights(), *all_stored()})]
