"""`posezoo lift`: joints that another program has found, in 3D."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from posezoo import registry
from posezoo.cli.options import device_option, plugin_option
from posezoo.hints import shown

_EPILOG = """\b
Examples:
  posezoo lift openpose_json/ --out lifted.json --width 1280 --height 720 --fov 60
  posezoo lift alphapose-results.json --out other.json --width 1280 --height 720 --bvh
"""
_KINDS = ("csv", "npz", "bvh", "trc", "html")


@click.command(epilog=_EPILOG)
@click.argument("keypoints", metavar="KEYPOINTS", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, metavar="FILE.json", type=click.Path(path_type=Path, dir_okay=False),
    help="What to write; other kinds stand beside it.",
)  # fmt: skip
@click.option("--pipeline", metavar="X", help="Lifter with weights, or run.  [default: shipped]")
@click.option("--joints", metavar="SET", help="Joint set of the file, if it does not tell it.")
@click.option("--width", type=click.IntRange(min=1), metavar="PX", help="Of the pictures.")
@click.option("--height", type=click.IntRange(min=1), metavar="PX", help="Of the pictures.")
@click.option("--fps", type=click.FloatRange(0, min_open=True), default=30, show_default=True)
@click.option("--focal", type=float, metavar="PX", help="Focal length of the pictures.")
@click.option("--fov", type=float, metavar="DEG", help="Field of view from left to right.")
@click.option("--camera", metavar="FILE", help="Camera numbers, JSON or TOML.")
@click.option("--csv", is_flag=True, help="A row for each joint.")
@click.option("--npz", is_flag=True, help="NumPy arrays.")
@click.option("--bvh", is_flag=True, help="Motion for Blender and others, a file for each person.")
@click.option("--trc", is_flag=True, help="Markers for OpenSim, a file for each person.")
@click.option("--html", is_flag=True, help="A page with 3D to turn around.")
@click.option("--smooth", type=click.Choice(["one-euro", "savgol"]), help="Filter movement.")
@click.option("--trust", is_flag=True, help="Read an .npz of objects (VideoPose3D).")
@device_option
@plugin_option
@click.pass_context
def lift(
    ctx: click.Context, /, keypoints: Path, out: Path, plugins: tuple[Path, ...], **given: Any
) -> None:
    """Lift the 2D joints of KEYPOINTS to 3D, and write them as `posezoo predict` does.

    KEYPOINTS is a file of COCO, OpenPose (or its folder), AlphaPose, MediaPipe, Ultralytics,
    rtmlib, MMPose, DeepLabCut, VideoPose3D or posezoo. Exit code 1: nobody could be lifted.
    """
    if (given["width"] is None) != (given["height"] is None):
        raise click.UsageError("--width and --height go together")
    if out.suffix != ".json":
        raise click.UsageError(f"--out {out}: expected a name that ends in .json")
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.cli.prediction import lens_from
    from posezoo.data.keypoints.reading import read_keypoints
    from posezoo.inference.keypoint_lifting import lift_keypoints
    from posezoo.inference.results import write_lifted

    size_px = None if given["width"] is None else (given["width"], given["height"])
    found = read_keypoints(keypoints, joints=given["joints"], size_px=size_px, trust=given["trust"])
    lens = lens_from(given["focal"], given["fov"], given["camera"])
    lifted = lift_keypoints(
        found, source=keypoints, lens=lens, size_px=size_px,
        **{name: given[name] for name in ("pipeline", "fps", "smooth", "device")},
    )  # fmt: skip
    write_lifted(lifted.prediction, out, [kind for kind in _KINDS if given[kind]])
    for note in lifted.notes:
        click.echo(shown(note, 1000))
    click.echo(f"{lifted.people} of {lifted.found} people lifted; {out}")
    if not lifted.people:
        ctx.exit(1)
