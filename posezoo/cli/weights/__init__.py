"""`posezoo weights`: weights by name, fetched once and kept in the user's cache."""

from __future__ import annotations

import click

from posezoo.cli.lazy import LazyGroup

_COMMANDS = {
    "get": ("posezoo.cli.weights.get:get", "Fetch weights that are known by name."),
    "list": ("posezoo.cli.weights.list_:list_weights", "What is known, and what is here."),
    "info": ("posezoo.cli.weights.info:info", "Whose weights they are, and where they lie."),
}


@click.group(
    cls=LazyGroup,
    table=_COMMANDS,
    epilog="\b\nExamples:\n  posezoo weights list\n  posezoo weights get blazepose",
)
def weights() -> None:
    """Weights by name, fetched once and kept in the user's cache."""
