"""`posezoo data info`: who and what is in a store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posezoo.cli.tables import print_table

if TYPE_CHECKING:
    from posezoo.data.inspect.bodies import Body
    from posezoo.data.inspect.detected import Detected

_EPILOG = """\b
Examples:
  posezoo data info people.h5
  posezoo data info poses17.h5 --json
"""
_LISTED = 20  # names of one kind in the table; --json has all


@click.command(epilog=_EPILOG)
@click.argument("store", metavar="STORE", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(store: Path, as_json: bool) -> None:
    """Count what is in STORE: a store, a *_poses17.h5 file, or a folder of these."""
    from posezoo.data.inspect.overview import overview

    found = overview(store)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1))
        return
    joints = f"{found.joint_set} ({found.joints} joints)"
    labelled = f"2D {found.labelled2d:.1%}, 3D {found.labelled3d:.1%} of the joints"
    if found.format != "store":
        labelled = "3D, world frame"
    pictures = f"{found.pictures} of {found.picture_px} px" if found.pictures else "none"
    print_table([
        ("file", f"{found.path} ({found.format}, {found.bytes / 1e6:.1f} MB)"),
        ("poses", f"{found.poses} in {found.sequences} sequences"),
        ("joint set", joints),
        ("labelled", labelled),
        *((f"detected: {k}", describe_detection(each)) for k, each in found.detections.items()),
        ("pictures", pictures),
        ("people", _list(found.subject)),
        ("bodies", _bodies([*found.bodies.values()])),
        ("held out", ", ".join(found.held_out) or "nobody"),
        ("actions", _list(found.action)),
        ("cameras", _list(found.view) or "no names"),
        ("licence", found.licence),
        ("credit", found.credit or "nobody named"),
    ])  # fmt: skip


def describe_detection(found: Detected) -> str:
    """How much of the truth a detection found, and how far off it is."""
    error = "no true joint to compare with"
    if found.mean_error_px is not None and found.median_error_px is not None:
        error = f"{found.mean_error_px:.1f} px off (mean; median {found.median_error_px:.1f})"
    return (
        f"{found.joint_set}, in {found.frames:.1%} of the frames, {found.joints:.1%} of the "
        f"joints; {error}; from {found.source} (sha256 {found.source_sha256[:8]})"
    )


def _bodies(bodies: Sequence[Body]) -> str:
    heights = [body.height_mm for body in bodies if body.height_mm]
    if not heights:
        return "not measured"
    spread = max(body.spread_mm for body in bodies)
    return (
        f"{min(heights):.0f} to {max(heights):.0f} mm from ankle to head along the bones; "
        f"a person's bones vary by up to {spread:.1f} mm (one standard deviation)"
    )


def _list(counts: dict[str, int]) -> str:
    """The commonest first: "walk 120, run 40"."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    text = ", ".join(f"{name} {count}" for name, count in ordered[:_LISTED])
    more = len(ordered) - _LISTED
    return text + (f" and {more} more" if more > 0 else "")
