"""`posezoo data convert`: a data set of another format becomes a store or a motion file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from posezoo.hints import shown

_EPILOG = """\b
Examples:
  posezoo data convert --from own poses.csv pictures.h5 --images pictures
  posezoo data convert --from bvh motions/ studio_poses17.h5 --fps 10
  posezoo data convert --from martinez h36m/ martinez.h5  # needs that data set
"""
_PATH = click.Path(path_type=Path)
_FOR_STORES = ("cameras", "images", "joints", "every", "fixes", "val", "trust", "restart")
_FOR_MOTION = ("fps", "unit", "up", "root_offset", "names")
# What not every format of its kind has a use for.
_SOME = {"cameras", "images", "trust", "unit", "up", "root_offset", "names"}
_OPTION = {"fixes": "fix", "names": "map", "root_offset": "root-offset"}


@click.command(epilog=_EPILOG)
@click.option("--from", "format_name", metavar="FORMAT", required=True, help="See above.")
@click.argument("source", metavar="SRC", type=_PATH)
@click.argument("out", metavar="OUT.h5", type=_PATH)
@click.option("--cameras", type=_PATH, help="Camera numbers, JSON (docs/data.md).")
@click.option("--images", type=_PATH, help="The folder in which picture names are looked for.")
@click.option("--joints", default="h36m17", show_default=True, help="Joint set of the store.")
@click.option("--every", default=1, show_default=True, help="Take every N-th frame.")
@click.option("--fix", "fixes", multiple=True, metavar="NAME", help="Put a known fault right.")
@click.option("--val", default="", help="People held out, with / between.  [default: a fifth]")
@click.option("--fps", default=10.0, show_default=True, help="Poses a second of motion capture.")
@click.option(
    "--unit",
    type=click.Choice(["mm", "cm", "m", "inch"]),
    default=None,
    help="Of motion capture.  [default: told from the body]",
)
@click.option(
    "--up", type=click.Choice(["y", "z"]), help="Of motion capture.  [default: told from the body]"
)
@click.option(
    "--root-offset",
    type=click.Choice(["add", "replace"]),
    help="To the root's positions in .bvh.  [default: told from the floor]",
)
@click.option("--map", "names", type=_PATH, help="Which node of .bvh is which joint, TOML.")
@click.option("--licence", default="unknown", show_default=True, help="Of the data.")
@click.option("--credit", default="", help="Who must be named where the data are used.")
@click.option(
    "--trust", is_flag=True, help="Read a pickle, or an .npz of objects: you know where it is from."
)
@click.option("--restart", is_flag=True, help="Do not go on with a broken-off conversion.")
@click.option("--report", "report_file", type=_PATH, help="Write the report as JSON too.")
def convert(format_name: str, report_file: Path | None, **given: Any) -> None:
    """Convert SRC to a store, or to a motion-capture file.

    FORMAT is one of videopose3d, martinez, h36m-fetch, mmpose-h36m, motionbert, h36m-cdf,
    mpi-inf-3dhp, 3dpw, h3wb, coco, mpii, own (to a store), asf-amc, bvh (to a motion file):
    docs/data.md says
    what each looks like. On the way to a store, what is done is kept in OUT.h5.partial/: the same
    command goes on after a break.
    """
    import json
    from dataclasses import fields

    from posezoo.data.convert.conversion import convert_motion
    from posezoo.data.convert.formats import get_format
    from posezoo.whole_files import write_atomically

    form, context = get_format(format_name), click.get_current_context()
    motion = form.motion
    others = _FOR_STORES if motion else _FOR_MOTION
    useless = (*others, *sorted(_SOME - form.takes - set(others)))
    for name in useless:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            option = _OPTION.get(name, name)
            raise click.UsageError(
                f"--{option} says nothing to --from {format_name}; leave it away"
            )
    for name in others:
        del given[name]
    given = {name: value for name, value in given.items() if value is not None} if motion else given
    report = convert_motion(format_name, **given) if motion else _to_store(format_name, **given)
    for line in report.lines():
        click.echo(shown(line, 1000))
    out = given["out"]
    click.echo(f"motions: {out}" if motion else f"store: {out}  (posezoo data check {out})")
    if report_file:
        content = {field.name: getattr(report, field.name) for field in fields(report)}
        write_atomically(report_file, (json.dumps(content, indent=1) + "\n").encode())


def _to_store(format_name: str, *, joints: str, **given: Any) -> Any:
    from rich.console import Console
    from rich.progress import Progress

    from posezoo.data.convert.conversion import convert
    from posezoo.data.convert.recipe import Options
    from posezoo.skeleton import get_skeleton

    reading = {name: given.pop(name) for name in ("cameras", "images", "every", "trust")}
    options = Options(joints=get_skeleton(joints), **reading)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(format_name)

        def progress(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name or "writing the store")

        return convert(format_name, options=options, progress=progress, **given)
