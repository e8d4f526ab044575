"""`posezoo sweep`: train over a grid or samples of settings, as one study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from posezoo import registry
from posezoo.cli.options import (
    TrainingCommand,
    pipeline_argument,
    split_setting,
    training_options,
)

_EPILOG = """\b
Examples:
  posezoo sweep martinez --data mocap:path=poses17.h5 --grid lr=1e-2,1e-3 --steps 10 --study runs/lr
  posezoo sweep --study runs/lr --jobs 4
"""

_PLAIN = {"seeds"}  # has a value even where nobody gave one


@click.command(cls=TrainingCommand, epilog=_EPILOG)
@pipeline_argument
@click.option("--study", "folder", required=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--grid", multiple=True, metavar="KEY=A,B", help="Values of a setting, all in turn.")
@click.option("--sample", multiple=True, metavar="KEY=A..B[:log]", help="Limits to draw between.")
@click.option("--trials", type=click.IntRange(0, 10**6), default=0, help="How many to draw.")
@click.option("--seeds", type=click.IntRange(1, 999), default=1, show_default=True, help="Of each.")
@click.option("--prune", is_flag=True, help="Stop what is worse than the median at half time.")
@click.option("--jobs", type=click.IntRange(1, 99), default=1, show_default=True, help="Processes.")
@training_options
def sweep(
    pipeline: str | None,
    folder: Path,
    grid: tuple[str, ...],
    sample: tuple[str, ...],
    jobs: int,
    sets: tuple[str, ...],
    device: str,
    workers: int | None,
    plugins: tuple[Path, ...],
    **words: Any,
) -> None:
    """Train PIPELINE at every point of a grid, or at points drawn by what came of those before.

    KEY is a name that --set takes (lr, strategy.lambda_2d, lifter.width), or pipeline, strategy,
    data or preset. Every process that runs the same command, or names the --study alone, shares the
    work; after a kill it goes on. The study's folder gets table.md, .csv and .html, plot.png,
    and a run folder for every trial and seed.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.cli.bars import Bar, Trainings
    from posezoo.ranks import apart, here
    from posezoo.sweep.definition import Axis, Sweep
    from posezoo.sweep.study import Study
    from posezoo.sweep.table import write_report
    from posezoo.sweep.work import work, work_together
    from posezoo.training.devices import pick_device

    if pipeline:
        named = ("trials", "seeds", "prune", "strategy", "data", "preset", "epochs")
        chosen = {name: words.pop(name) for name in named}
        flags = {name: str(value) for name, value in words.items() if value is not None}
        definition = Sweep(
            pipeline=pipeline,
            axes=(*map(Axis.grid, grid), *map(Axis.sample, sample)),
            changes=flags | dict(split_setting(item) for item in sets),
            device=pick_device(device).type,
            **chosen,
        )
        definition.check(folder)
        Study(folder, definition)
    elif grid or sample or sets or device != "auto" or any(words[k] for k in words.keys() - _PLAIN):
        raise click.UsageError("without PIPELINE a study goes on as it was defined: --study alone")
    options: dict[str, Any] = {"workers": workers, "plugins": plugins}
    study, ranks = Study(folder), here()
    if jobs > 1 and ranks.size > 1:
        raise click.UsageError(f"--jobs {jobs}: {ranks.size} processes share it already")
    with apart():  # trials are dealt out, not steps
        if study.unfinished and jobs > 1:
            with Bar("trainings", study.sweep.count * study.sweep.seeds) as bar:
                work_together(folder, jobs, say=click.echo, progress=bar, **options)
        elif study.unfinished:
            with Trainings("trainings", study.unfinished * study.sweep.seeds) as bar:
                work(folder, say=bar.said, loggers=[bar], **options)
    ranks.wait()
    if ranks.is_first:
        click.echo(write_report(study))
        click.echo(f"{folder}: table.md, table.csv, table.html, plot.png; runs in trials/")
