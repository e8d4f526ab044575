"""`posezoo data detections`: what a 2D detector found, beside the truth of a store."""

from __future__ import annotations

import json
from pathlib import Path

import click

from posezoo.hints import shown

_EPILOG = """\b
Examples:
  posezoo data detections h36m.h5 cpn.npz --name cpn --out both.h5 --trust  # needs others' files
  posezoo data detections a.h5 seen.json --from keypoints --of S1/walk/left --name own \\
    --out b.h5  # needs a video of one's own
"""
_PATH = click.Path(path_type=Path)


@click.command(epilog=_EPILOG)
@click.argument("store", metavar="STORE", type=_PATH)
@click.argument("source", metavar="SRC", type=_PATH)
@click.option("--name", required=True, help="What to call it, as in store:...,joints2d=NAME.")
@click.option("--out", required=True, type=_PATH, help="The new store; STORE stays as it is.")
@click.option(
    "--from", "format_name", default="videopose3d", show_default=True, metavar="FORMAT",
    help="See above.",
)  # fmt: skip
@click.option("--cameras", type=_PATH, help="Camera file: the order of cameras without names.")
@click.option("--joints", metavar="SET", help="Joint set of SRC, if it does not tell it.")
@click.option("--of", "recording", metavar="SUBJECT/SEQUENCE/VIEW", help="Whose SRC is, if one's.")
@click.option(
    "--first-frame", default=0, show_default=True, type=click.IntRange(min=0),
    help="Number of a recording's first picture in STORE.",
)  # fmt: skip
@click.option("--trust", is_flag=True, help="Read a pickle: you know where it is from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def detections(
    store: Path,
    source: Path,
    name: str,
    out: Path,
    format_name: str,
    cameras: Path | None,
    joints: str | None,
    recording: str | None,
    first_frame: int,
    trust: bool,
    as_json: bool,
) -> None:
    """Add the 2D joints of SRC to STORE, written anew as OUT.

    FORMAT is one of videopose3d (data_2d_*.npz of CPN, stacked hourglass, Detectron), motionbert
    (the .pkl), evoskeleton (HRNet's .npy), stacked-hourglass (the .h5 of 3d-pose-baseline), 3dpw
    (OpenPose's, in the .pkl), keypoints (posezoo predict, and whatever posezoo lift reads). A
    lifter trains and is evaluated on them by --data store:path=OUT,joints2d=NAME.
    """
    from posezoo.data.detections.adding import add_detections
    from posezoo.data.detections.source import Ask
    from posezoo.skeleton import get_skeleton

    whose = None
    if recording is not None:
        subject, *rest = recording.split("/")
        if len(rest) < 2:
            raise click.UsageError(f"--of {recording}: expected SUBJECT/SEQUENCE/VIEW")
        whose = (subject, "/".join(rest[:-1]), rest[-1])
    skeleton = get_skeleton(joints) if joints else None
    ask = Ask(path=source, joints=skeleton, recording=whose, trust=trust, first_frame=first_frame)
    report = add_detections(store, out, name, format_name=format_name, ask=ask, cameras=cameras)
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=1))
        return
    for line in report.lines():
        click.echo(shown(line, 1000))
    click.echo(f"store: {out}  (--data store:path={out},joints2d={name})")
