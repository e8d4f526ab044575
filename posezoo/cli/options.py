"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="Where to compute.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Processes that load data.  [default: one per spare core where there are pictures]",
)
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A Python file that registers entries.",
)


def split_setting(item: str) -> tuple[str, str]:
    """The name and the value of a `--set` item."""
    name, equals, value = item.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--set {item}: expected KEY=VALUE, as in --set lifter.dropout=0.25")
    return name, value
