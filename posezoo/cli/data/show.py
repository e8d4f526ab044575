"""`posezoo data show`: a contact sheet of a store."""

from __future__ import annotations

from pathlib import Path

import click

_EPILOG = """\b
Examples:
  posezoo data show people.h5
  posezoo data show poses17.h5 --out walks.png --items 12 --seed 1
"""


@click.command(epilog=_EPILOG)
@click.argument("store", metavar="STORE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    default=Path("sheet.png"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="The picture to write (.png, .pdf or .svg).",
)
@click.option(
    "--items", default=8, show_default=True, type=click.IntRange(1, 64), help="How many poses."
)
@click.option("--seed", default=0, show_default=True, help="Of the choice of poses.")
def show(store: Path, out: Path, items: int, seed: int) -> None:
    """Draw poses of STORE: picture with 2D joints, beside it the pose in 3D."""
    from posezoo.data.inspect.sheet import draw_sheet

    drawn = draw_sheet(store, out, items=items, seed=seed)
    click.echo(f"{out}: {drawn} poses of {store}")
