"""`posezoo data`: getting one's own data in, and seeing whether it is right."""

from __future__ import annotations

import click

from posezoo.cli.lazy import LazyGroup

_COMMANDS = {
    "sample": ("posezoo.cli.data.sample:sample", "Write small files to try everything with."),
    "convert": ("posezoo.cli.data.convert:convert", "Turn a data set of another format into ours."),
    "detections": (
        "posezoo.cli.data.detections:detections",
        "Add what a 2D detector found to a store.",
    ),
    "check": ("posezoo.cli.data.check:check", "Find what is wrong with a store, and say the cure."),
    "info": ("posezoo.cli.data.info:info", "Who and what is in a store."),
    "show": ("posezoo.cli.data.show:show", "Draw a contact sheet: picture, 2D and 3D."),
}


@click.group(
    cls=LazyGroup,
    table=_COMMANDS,
    epilog="\b\nExamples:\n  posezoo data check people.h5\n  posezoo data show people.h5",
)
def data() -> None:
    """Get data in, and see whether it is right."""
