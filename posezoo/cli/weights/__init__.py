"""`posezoo weights`: weights by name, other projects' files as ours, the user's cache."""

from __future__ import annotations

import click

from posezoo.cli.lazy import LazyGroup

# Command: where it lives, and its line in `posezoo weights --help`.
_COMMANDS = {
    "import": ("posezoo.cli.weights.import_:import_", "Another project's file as ours."),
    "verify": ("posezoo.cli.weights.verify:verify", "Compare with the original's own output."),
    "get": ("posezoo.cli.weights.get:get", "Fetch weights that are known by name."),
    "list": ("posezoo.cli.weights.list_:list_weights", "What is known, and what is here."),
    "info": ("posezoo.cli.weights.info:info", "Whose weights they are, and where they lie."),
    "push": ("posezoo.cli.weights.push:push", "Publish weights on huggingface.co."),
}


@click.group(
    cls=LazyGroup,
    table=_COMMANDS,
    epilog="\b\nExamples:\n"
    "  posezoo weights list\n  posezoo weights get blazepose  # fetches 36 MB",
)
def weights() -> None:
    """Weights by name: fetched once or imported from other projects, kept in the user's cache."""
