"""`posezoo eval`: the errors of a trained run, under a stated protocol."""

from __future__ import annotations

import json
from pathlib import Path

import click

from posezoo import registry
from posezoo.cli.options import device_option, plugin_option, workers_option

_EPILOG = """\b
Examples:
  posezoo eval runs/resnet50-hm+martinez
  posezoo eval runs/lifter --data mocap:path=poses17.h5,split=all --protocol actions --json
"""


@click.command(name="eval", epilog=_EPILOG)
@click.argument("run", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--data", metavar="NODE", help="Dataset.  [default: the run's own val split]")
@click.option("--protocol", default="poses", show_default=True, metavar="KEY", help="What counts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@device_option
@workers_option
@plugin_option
def evaluate(
    run: Path,
    data: str | None,
    protocol: str,
    as_json: bool,
    device: str,
    workers: int | None,
    plugins: tuple[Path, ...],
) -> None:
    """Evaluate the best checkpoint of the run in DIR."""
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.cli.console import print_evaluation
    from posezoo.evaluate import evaluate_run
    from posezoo.runs import pick_device

    result = evaluate_run(
        run, data=data, protocol=protocol, device=pick_device(device), workers=workers or 0
    )
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1))
    else:
        print_evaluation(result)
