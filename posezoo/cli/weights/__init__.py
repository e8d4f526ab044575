"""`posezoo weights`: other projects' weights as ours, by name."""

from __future__ import annotations

import click

from posezoo.cli.lazy import LazyGroup

# Command: where it lives, and its line in `posezoo weights --help`.
_COMMANDS = {
    "import": ("posezoo.cli.weights.import_:import_", "Another project's file as ours."),
    "push": ("posezoo.cli.weights.push:push", "Publish weights on huggingface.co."),
    "verify": ("posezoo.cli.weights.verify:verify", "Compare with the original's own output."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def weights() -> None:
    """Weights by name: other projects' files as ours, kept in the user's cache."""
