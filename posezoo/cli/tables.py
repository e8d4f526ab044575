"""Tables on the terminal, and whole lines into a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

_WIDE = 10_000  # characters: a line into a pipe is never folded


def print_table(rows: Sequence[Sequence[str]], *, headings: Sequence[str] = ()) -> None:
    """Print rows in columns, under headings if there are any."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=bool(headings))
    for heading in headings or ("",) * max(map(len, rows), default=0):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a "[" in a summary is no markup
    console = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())
