"""`posezoo data sample`: small files to try every command with."""

from __future__ import annotations

from pathlib import Path

import click

_EPILOG = """\b
Examples:
  posezoo data sample --out sample
  cd sample && posezoo data check people.h5
"""


@click.command(epilog=_EPILOG)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to fill.")
def sample(out: Path) -> None:
    """Write small files of every kind, made of invented people, into a folder.

    They have the names that the examples of --help and of the documents use. What has such a name
    already is left alone, and nothing is written then.
    """
    from posezoo.cli.tables import print_table
    from posezoo.sample.write import CONTENTS, write_sample

    write_sample(out)
    print_table([(f"{out / name}", what) for name, what in CONTENTS.items()])
