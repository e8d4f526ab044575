"""`posezoo predict`: people in 3D from pictures, videos and cameras."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from posezoo import registry
from posezoo.cli.devices import devices_option
from posezoo.cli.options import device_option, plugin_option

_EPILOG = """\b
Examples:
  posezoo predict photo.jpg --out results  # fetches 36 MB, once
  posezoo predict model.onnx photo.jpg --out results  # needs a file of posezoo export
  posezoo predict holiday/ dance.mp4 --out results --bvh --smooth savgol  # needs a video
"""
_KINDS = ("csv", "npz", "png", "bvh", "trc", "html", "video")


@click.command(epilog=_EPILOG)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of results.")
@click.option("--pipeline", metavar="X", help="Spec, weights or run.  [default: what is shipped]")
@click.option("--detector", metavar="NODE", help="Who finds people for a lifter or a run.")
@click.option("--yes", is_flag=True, help="Fetch weights that are missing without asking.")
@click.option("--focal", type=float, metavar="PX", help="Focal length of the pictures.")
@click.option("--fov", type=float, metavar="DEG", help="Field of view from left to right.")
@click.option("--camera", metavar="FILE", help="Camera numbers, JSON or TOML.")
@click.option("--box", "boxes", multiple=True, metavar="X,Y,W,H", help="A person, in px.")
@click.option("--boxes", "boxes_file", metavar="FILE", help='JSON: {"photo.jpg": [[x,y,w,h]]}.')
@click.option("--json", is_flag=True, help="Always written: DIR/STEM.json.")
@click.option("--csv", is_flag=True, help="A row for each joint.")
@click.option("--npz", is_flag=True, help="NumPy arrays.")
@click.option("--bvh", is_flag=True, help="Motion for Blender and others, a file for each person.")
@click.option("--trc", is_flag=True, help="Markers for OpenSim, a file for each person.")
@click.option("--html", is_flag=True, help="A page with 3D to turn around.")
@click.option("--video", is_flag=True, help="A video with skeletons drawn on it.")
@click.option("--png/--no-png", default=True, show_default=True, help="Draw each picture.")
@click.option("--smooth", type=click.Choice(["one-euro", "savgol"]), help="Filter movement.")
@click.option("--track/--no-track", default=True, show_default=True, help="Ids through a video.")
@click.option("--flip/--no-flip", default=True, show_default=True, help="Lift the mirrored too.")
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True, help="Crops.")
@click.option("--workers", type=click.IntRange(min=0), help="Threads that read ahead.")
@click.option("--restart", is_flag=True, help="Do again what is done.")
@devices_option
@device_option
@plugin_option
def predict(plugins: tuple[Path, ...], **given: Any) -> None:
    """Find people in each SOURCE, and where their joints are in mm.

    SOURCE is a picture, a video, a folder of them, a glob, - for a list of names on stdin, or the
    number of a camera. A first one that ends in .onnx is the pipeline, as posezoo export wrote it.
    What is done already is left as it is. Exit code: 0 somebody was found, 1 nobody, 2 nothing
    could be read.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.cli.prediction import Lines, fetch_missing, lens_from
    from posezoo.inference.boxes import Boxes, parse_box, read_boxes
    from posezoo.inference.jobs import Job, predict_sources
    from posezoo.inference.predictor import Predictor
    from posezoo.inference.sources import find_sources
    from posezoo.ranks import here

    first, *others = given["sources"]
    if given["pipeline"] is None and first.lower().endswith(".onnx"):
        if not others:
            raise click.UsageError(f"which pictures? posezoo predict {first} photo.jpg --out DIR")
        given |= {"pipeline": first, "sources": others}
    ranks = here()
    if ranks.is_first:
        fetch_missing(given["pipeline"], given["detector"], yes=given["yes"])
    ranks.wait()
    everywhere = [parse_box(text) for text in given["boxes"]]
    by_picture = read_boxes(given["boxes_file"]) if given["boxes_file"] else {}
    predictor = Predictor(
        given["pipeline"],
        detector=given["detector"],
        lens=lens_from(given["focal"], given["fov"], given["camera"]),
        device=given["device"],
        flip=given["flip"],
        batch=given["batch"],
    )
    listed = sys.stdin.read() if "-" in given["sources"] and ranks.is_first else ""
    sources, problems = find_sources(given["sources"], ranks.told(listed).splitlines())
    workers = given["workers"]
    job = Job(
        out=given["out"],
        kinds=[kind for kind in _KINDS if given[kind]],
        boxes=Boxes.of_user(everywhere, by_picture),
        track=given["track"],
        smooth=given["smooth"],
        restart=given["restart"],
        workers=min(os.cpu_count() or 1, 4) if workers is None else workers,
    )
    with Lines(len(sources)) as lines:
        for problem in problems if ranks.is_first else ():
            lines.failed(problem)
        tally = predict_sources(predictor, sources, job, lines)
    if ranks.is_first:
        lines.summary(tally, len(problems), job.out)
    if not tally.people:
        click.get_current_context().exit(1 if tally.sources else 2)
