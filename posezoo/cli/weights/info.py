"""`posezoo weights info`: whose weights they are, and where they lie."""

from __future__ import annotations

import json

import click

from posezoo.cli.tables import print_table


@click.command(
    epilog="\b\nExamples:\n  posezoo weights info blazepose\n  posezoo weights list --json"
)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(name: str, as_json: bool) -> None:
    """Show the source, licence, hash and use of the weights NAME."""
    from posezoo.weights.card import weights_card

    card = weights_card(name)
    if as_json:
        click.echo(json.dumps(card, indent=1))
        return
    print_table([(key, str(value)) for key, value in card.items() if value is not None])
