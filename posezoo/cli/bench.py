"""`posezoo bench`: how fast the operations, codecs, pipelines and loaders are here."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from posezoo import registry
from posezoo.cli.benchmarks import benchmarks_folder
from posezoo.cli.options import device_option
from posezoo.hints import did_you_mean

_EPILOG = """\b
Examples:
  posezoo bench pipeline martinez --json before.json
  posezoo bench pipeline martinez --compare before.json
  posezoo bench codec  # a minute
  posezoo bench  # 5 minutes
"""
_GROUPS = ("kernels", "codec", "pipeline", "loader")


@click.command(epilog=_EPILOG)
@click.argument("words", metavar="[GROUP|PIPELINE|RUN]...", nargs=-1)
@device_option
@click.option("--compiled", is_flag=True, help="Also time torch.compile; the first takes a minute.")
@click.option("--seconds", default=0.5, show_default=True, help="Time for each formulation.")
@click.option("--batch-size", default=0, help="Items a step of a pipeline.  [default: by device]")
@click.option("--image-size", default=0, help="Pixels of its pictures.  [default: 256]")
@click.option("--detail", is_flag=True, help="A line for each formulation, with all columns.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the run as data.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An earlier run; print the ratio of the best times.",
)
def bench(words: tuple[str, ...], **options: Any) -> None:
    """Time the formulations of each operation in one run; a wrong one gets no speed.

    Groups: kernels, codec (the error that perfect heatmaps leave, by size, width and decoder),
    pipeline, loader; all if none is named. Behind `pipeline` any pipeline can be named, or the
    folder of a run: its parts are timed, and a run's accuracy is shown beside. On a CPU it is CPU
    time of one thread, turn by turn: compare ratios, not milliseconds.
    """
    from posezoo.cli.bars import Bar

    which = [word for word in words if word not in _GROUPS]
    for word in which:
        _require_pipeline(word)
    named = [word for word in words if word in _GROUPS]
    groups = named or ([] if which else _GROUPS)
    with Bar("starting") as bar:

        def heard(row: Any) -> None:
            bar.measured(row.operation)

        lines = _report().run(groups, named=bool(named), which=which, heard=heard, **options)
        for line in lines:
            click.echo(line)


def _require_pipeline(word: str) -> None:
    """Refuse what is neither a group nor a pipeline nor a run.

    Raises:
        ValueError: that word, and a near one.
    """
    if (Path(word) / "run.toml").is_file():
        return
    if hint := did_you_mean(word, _GROUPS):
        raise click.BadParameter(f"unknown group '{word}'.{hint}")
    spec = registry.parse_pipeline(word)
    if spec.alone is None or spec.alone.tag is None:  # a tag may be that of stored weights
        registry.resolve_pipeline(spec)


def _report() -> ModuleType:
    folder = benchmarks_folder()
    if folder is None:
        raise click.ClickException("posezoo bench needs the folder benchmarks of a checkout")
    sys.path.insert(0, str(folder.parent))  # its modules import each other by name
    try:
        return importlib.import_module("benchmarks.report")
    finally:
        sys.path.remove(str(folder.parent))
