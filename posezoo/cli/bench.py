"""`posezoo bench`: how fast the operations, codecs, pipelines and loaders are here."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from posezoo.cli.benchmarks import benchmarks_folder
from posezoo.cli.options import device_option
from posezoo.cli.tables import print_table

_EPILOG = """\b
Examples:
  posezoo bench codec --device cpu
  posezoo bench --json before.json && posezoo bench --compare before.json
"""
_GROUPS = ("kernels", "codec", "pipeline", "loader")


@click.command(epilog=_EPILOG)
@click.argument("groups", metavar="[GROUP]...", nargs=-1, type=click.Choice(_GROUPS))
@device_option
@click.option("--compiled", is_flag=True, help="Also time torch.compile; the first takes a minute.")
@click.option("--seconds", default=0.5, show_default=True, help="Time for each formulation.")
@click.option("--detail", is_flag=True, help="A line for each formulation, with all columns.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the run as data.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An earlier run; print the ratio of the best times.",
)
def bench(
    groups: tuple[str, ...],
    device: str,
    compiled: bool,
    seconds: float,
    output: Path | None,
    compare: Path | None,
    detail: bool,
) -> None:
    """Time the formulations of each operation in one run; a wrong one gets no speed.

    Groups: kernels, codec (the error that perfect heatmaps leave, by size, width and decoder),
    pipeline, loader; all if none is named. On a CPU it is CPU time of one thread, turn by turn:
    compare ratios, not milliseconds.
    """
    from posezoo.cli.bars import Bar

    options = {"seconds": seconds, "compiled": compiled, "output": output, "compare": compare}
    with Bar("starting") as bar:

        def heard(row: Any) -> None:
            bar.measured(row.operation)

        run = _report().run(groups or _GROUPS, device, detail=detail, heard=heard, **options)
        for table in run:
            click.echo(f"\n{table.title}")
            if table.headings:
                print_table(table.lines, headings=table.headings)
            for line in table.below:
                click.echo(line)


def _report() -> ModuleType:
    folder = benchmarks_folder()
    if folder is None:
        raise click.ClickException("posezoo bench needs the folder benchmarks of a checkout")
    sys.path.insert(0, str(folder.parent))  # its modules import each other by name
    try:
        return importlib.import_module("benchmarks.report")
    finally:
        sys.path.remove(str(folder.parent))
