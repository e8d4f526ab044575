"""`posezoo view`: predictions, runs and data in a page with 3D to turn around."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from posezoo import registry
from posezoo.cli.options import plugin_option

_EPILOG = """\b
Examples:
  posezoo view people.h5 --items 12
  posezoo lift openpose_json/ --out lifted.json --width 1280 --height 720
  posezoo view lifted.json --out lifted.html
"""


@click.command(epilog=_EPILOG)
@click.argument("what", metavar="RUN|STORE|FILE.json", type=click.Path(path_type=Path))
@click.option(
    "--out",
    default=Path("view.html"),
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write.",
)
@click.option(
    "--items", default=24, show_default=True, type=click.IntRange(1, 2000), help="Poses of data."
)
@click.option("--open/--no-open", "opened", default=None, help="Show it.  [default: on a terminal]")
@plugin_option
def view(what: Path, out: Path, items: int, opened: bool | None, plugins: tuple[Path, ...]) -> None:
    """Write a page of a prediction, a folder of them, a run, a store or motion capture.

    The page needs no network and no other file. It holds pictures, bodies in 3D, joint angles and a
    slider; of a run, the truth beside what its best checkpoint predicts.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.inference.view import view as write_view

    shown = write_view(what, out, items=items)
    click.echo(f"{out}: {shown} of {what}")
    if sys.stdout.isatty() if opened is None else opened:
        click.launch(str(out))
