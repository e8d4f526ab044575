"""`posezoo data check`: what is wrong with a store, and how to put it right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posezoo.cli.data.info import describe_detection
from posezoo.cli.tables import print_table
from posezoo.hints import shown

if TYPE_CHECKING:
    from posezoo.data.inspect.diagnose import Diagnosis
    from posezoo.data.inspect.diagnose_projection import Errors

_EPILOG = """\b
Exit code: 0 sound, 1 a fault was found, 2 the file could not be read.

\b
Examples:
  posezoo data check people.h5
  posezoo data check people.h5 --json
"""
_WORST = 5  # sequences in the table; --json has all


@click.command(epilog=_EPILOG)
@click.argument("store", metavar="STORE", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(ctx: click.Context, store: Path, as_json: bool) -> None:
    """Look for faults in STORE: a store, a *_poses17.h5 file, or a folder of these."""
    from posezoo.data.inspect.diagnose import diagnose

    found = diagnose(store)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1))
    else:
        _print(found)
    ctx.exit(0 if found.sound else 1)


def _print(found: Diagnosis) -> None:
    from posezoo.data.inspect.diagnose_projection import BINS_PX

    if found.views:
        edges = [f"{edge:g}" for edge in BINS_PX[1:]]
        bins = [f"< {edges[0]}", *(f"< {edge}" for edge in edges[1:]), f"{edges[-1]}+"]
        columns = ["median", "p95", "max", *bins]
        click.echo("3D projected against 2D: px of the worst joint, and frames by px")
        print_table(list(map(_row, found.views)), headings=["camera", "frames", *columns])
        worst = [each for each in found.sequences[:_WORST] if each.max_px > BINS_PX[1]]
        if worst:
            print_table(list(map(_row, worst)), headings=["worst sequence", "frames", *columns])
        click.echo()
    if found.missing2d:
        joints = ", ".join(f"{name} {n:,}" for name, n in found.missing2d.items() if name != "any")
        click.echo(
            f"2D: {found.missing2d['any']:,} of {found.poses:,} poses lack a joint ({joints}): "
            "left out where a lifter takes no confidence"
        )
    for name, each in found.detections.items():
        click.echo(f"detection {shown(name)}: {describe_detection(each)}")
    for fault in found.findings:
        click.echo(f"FAULT {fault.fault}: {fault.frames} frames ({shown(fault.where, 500)})")
        click.echo(f"  seen: {shown(fault.evidence, 1000)}")
        click.echo(f"  cure: {fault.cure}")
    verdict = "no fault found" if found.sound else f"{len(found.findings)} fault(s)"
    click.echo(f"{found.path}: {found.poses} poses, {verdict}")


def _row(errors: Errors) -> Sequence[str]:
    return (
        errors.name or "(no name)",
        str(errors.frames),
        *(f"{value:.3g}" for value in (errors.median_px, errors.p95_px, errors.max_px)),
        *map(str, errors.histogram),
    )
