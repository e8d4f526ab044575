"""`posezoo new`: a third-party package with one entry, working from the start."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from posezoo import registry

_EPILOG = """\b
Examples:
  posezoo new lifter graphlift
  posezoo new head blobs --package mylab --out plugins/blobs
"""


@click.command(epilog=_EPILOG)
@click.argument("kind", type=click.Choice(registry.KINDS))
@click.argument("name")
@click.option(
    "--package",
    "plugin",
    default="acme",
    show_default=True,
    metavar="PLUGIN",
    help="Whose it is: the key becomes PLUGIN/NAME.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="New folder.  [default: ./PLUGIN-NAME]"
)
def new(kind: str, name: str, plugin: str, out: Path | None) -> None:
    """Write an installable package with an entry NAME of that KIND, small but working."""
    from posezoo.scaffold.write import example_command, write_package

    for entry in registry.entries():
        if name == entry.key.rpartition("/")[2]:
            raise ValueError(f"the zoo has {entry} already; choose another name")
    folder = out or Path(f"{plugin}-{name}".replace("_", "-"))
    for file in write_package(kind, name, plugin=plugin, folder=folder):
        click.echo(file)
    path = shlex.quote(str(folder) if folder.is_absolute() else f"./{folder}")
    click.echo(f"\nNext:\n  pip install -e {path}")
    click.echo(f"  posezoo check {plugin}/{name}")
    click.echo(f"  posezoo {example_command(kind, name, plugin=plugin)}")
    click.echo(f"  pytest {path}")
