"""Options of the commands that read other projects' files."""

from __future__ import annotations

import click

as_option = click.option(
    "--as",
    "spec",
    default="",
    metavar="FAMILY|SPEC",
    help="Which network it is, where the file does not say.",
)
config_option = click.option(
    "--config",
    metavar="JSON",
    help="The original's constructor arguments: a file, or JSON itself.",
)
trust_option = click.option(
    "--trust", is_flag=True, help="Open a pickle that runs code when it is read."
)
