"""`posezoo train`: assemble a pipeline from registry keys and train it."""

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
from posezoo.training.signals import StopRequest

_EPILOG = """\b
Examples:
  posezoo train resnet50-hm+martinez --strategy multitask  # 5 minutes on two cores
  posezoo train martinez --data mocap:path=poses17.h5 --steps 20 --out runs/lifter
  posezoo train --config runs/lifter/run.toml --out runs/again
  posezoo train resnet50-hm --weights backbone=resnet50-11ad3fa6.pth  # needs torchvision's file
"""


@click.command(cls=TrainingCommand, epilog=_EPILOG)
@pipeline_argument
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="RUN.TOML",
    help="Repeat the run of that file, but for the options given here.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME]")
@training_options
@click.option("--seed", type=int, help="Of weights, order and data.")
@click.option(
    "--weights",
    multiple=True,
    metavar="[PART=]SOURCE",
    help="Start from a file, a run, a name of `posezoo weights list` or hub:ORG/NAME.",
)
@click.option("--overfit-one-batch", is_flag=True, default=None, help="Repeat the first batch.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
def train(
    pipeline: str | None,
    config: Path | None,
    strategy: str | None,
    data: str | None,
    out: Path | None,
    preset: str | None,
    epochs: float | None,
    sets: tuple[str, ...],
    weights: tuple[str, ...],
    resume: bool,
    device: str,
    workers: int | None,
    plugins: tuple[Path, ...],
    **flags: Any,
) -> None:
    """Train PIPELINE: backbone-head+lifter, or a lifter alone.

    The run folder gets run.toml, metrics.jsonl, last/ and best/ checkpoints and figures. The run
    ends with the errors of the best checkpoint on people that it was not trained on.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    if (pipeline is None) == (config is None):
        raise click.UsageError(_what_to_name())
    spec = registry.parse_pipeline(pipeline) if pipeline else None
    strategy_node = registry.parse_node(strategy) if strategy else None
    data_node = registry.parse_node(data) if data else None
    given = {name: str(value).lower() for name, value in flags.items() if value is not None}
    changes = given | dict(split_setting(item) for item in sets)

    with StopRequest() as stop:
        # A signal meanwhile is only noted: torch's C++ aborts if an exception ends its import.
        from posezoo.cli.console import Console
        from posezoo.training.runs import plan, run_of, start

        stop.at_once("before it began")

        run, settings, notes = plan(
            pipeline=spec,
            config=config,
            strategy=strategy_node,
            data=data_node,
            preset=preset,
            changes=changes,
            epochs=epochs,
            out=out,
            resume=resume,
            device=device,
        )
        with Console(settings.steps) as console:
            for note in notes:
                console.note(note)
            evaluation = start(
                run,
                settings,
                device=device,
                workers=workers,
                resume=resume,
                weights=weights or (run_of(config).weights() if config else ()),
                loggers=[console],
                progress=console.evaluating,
            )
    console.report(run, evaluation)


def _what_to_name() -> str:
    """An example, and the keys that can stand in it."""
    keys = "\n".join(
        f"  {kind}s: {', '.join(entry.key for entry in registry.entries(kind))}"
        for kind in ("backbone", "head", "lifter")
    )
    return (
        "name one pipeline, backbone-head+lifter or a lifter alone, or --config RUN.TOML:\n"
        f"  posezoo train resnet50-hm+martinez\n{keys}"
    )
