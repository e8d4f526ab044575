"""`posezoo app`: a page on this machine that predicts the picture that is dropped on it."""

from __future__ import annotations

from pathlib import Path

import click

from posezoo import registry
from posezoo.cli.options import device_option, plugin_option

_EPILOG = """\b
Examples:
  posezoo app  # serves until it is stopped
  posezoo app --pipeline runs/lifter --port 8000 --no-open  # serves until it is stopped
"""


@click.command(epilog=_EPILOG)
@click.option("--pipeline", metavar="X", help="Spec, weights or run.  [default: what is shipped]")
@click.option("--detector", metavar="NODE", help="Who finds people for a lifter or a run.")
@click.option("--yes", is_flag=True, help="Fetch weights that are missing without asking.")
@click.option("--focal", type=float, metavar="PX", help="Focal length of the pictures.")
@click.option("--fov", type=float, metavar="DEG", help="Field of view from left to right.")
@click.option("--camera", metavar="FILE", help="Camera numbers, JSON or TOML.")
@click.option("--port", type=click.IntRange(1, 65535), default=7860, show_default=True)
@click.option("--open/--no-open", "opened", default=True, show_default=True, help="In a browser.")
@device_option
@plugin_option
def app(
    pipeline: str | None,
    detector: str | None,
    yes: bool,
    focal: float | None,
    fov: float | None,
    camera: str | None,
    port: int,
    opened: bool,
    device: str,
    plugins: tuple[Path, ...],
) -> None:
    """Serve a page on this machine: drop a picture, see its people in 2D and in 3D.

    Only this machine can reach it (127.0.0.1). JSON and BVH can be downloaded there.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.cli.prediction import fetch_missing, lens_from
    from posezoo.inference.app import HOST, serve
    from posezoo.inference.predictor import Predictor

    fetch_missing(pipeline, detector, yes=yes)
    lens = lens_from(focal, fov, camera)
    predictor = Predictor(pipeline, detector=detector, lens=lens, device=device)
    click.echo(f"http://{HOST}:{port}  (Ctrl-C ends it)")
    serve(predictor, port=port, opened=opened)
