"""`posezoo bench`: how fast the operations, codecs, pipelines and loaders are here."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from posezoo.cli.options import device_option
from posezoo.cli.tables import print_table

_EPILOG = """\b
Examples:
  posezoo bench --group kernels --device cpu
  posezoo bench --json before.json && posezoo bench --compare before.json
"""
_GROUPS = ("kernels", "codec", "pipeline", "loader")


@click.command(epilog=_EPILOG)
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=click.Choice(_GROUPS),
    help="What to measure; may be repeated.  [default: all]",
)
@device_option
@click.option("--compiled", is_flag=True, help="Also time torch.compile; the first takes a minute.")
@click.option("--seconds", default=0.5, show_default=True, help="Time for each formulation.")
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
) -> None:
    """Time the formulations of each operation in one run; a wrong one gets no speed.

    On a CPU it is CPU time of one thread, turn by turn: compare ratios, not milliseconds.
    """
    import torch

    library, tables = _library()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.device(device)
    if where.type == "cpu":
        click.get_current_context().call_on_close(
            partial(torch.set_num_threads, torch.get_num_threads())
        )
        torch.set_num_threads(1)
    rows: list[Any] = []
    for group in groups or _GROUPS:
        options = {"compiled": compiled} if group == "kernels" else {}
        found = list(library.GROUPS[group](where, seconds=seconds, **options))
        rows += found
        click.echo(f"\n{group} on {where}")
        print_table([tables.cells(row) for row in found], headings=tables.HEADINGS)
    static = []
    if "kernels" in (groups or _GROUPS) and importlib.util.find_spec("triton"):
        static = library.static_columns()
        click.echo("\nTriton kernels as compiled, without a GPU: sm_80 and sm_90, H200 predicted")
        print_table([tables.static_cells(r) for r in static], headings=tables.STATIC_HEADINGS)
    if compare is not None:
        click.echo(f"\nagainst {compare}")
        print_table(tables.compare(rows, compare), headings=tables.COMPARED)
    if output is not None:
        tables.save(output, where, rows, static)


def _library() -> tuple[ModuleType, ModuleType]:
    """The folder `benchmarks`: package data when installed, beside the package in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "benchmarks", package.parent / "benchmarks"):
        if (folder / "groups.py").exists():
            sys.path.insert(0, str(folder.parent))  # its modules import each other by name
            try:
                return (
                    importlib.import_module("benchmarks.groups"),
                    importlib.import_module("benchmarks.tables"),
                )
            finally:
                sys.path.remove(str(folder.parent))
    raise click.ClickException("posezoo bench needs the folder benchmarks of a posezoo checkout")
