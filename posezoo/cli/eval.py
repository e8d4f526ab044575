"""`posezoo eval`: the errors of a trained run, under a stated protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posezoo import registry
from posezoo.cli.devices import devices_option
from posezoo.cli.options import (
    data_option,
    device_option,
    evaluation_workers_option,
    plugin_option,
    run_argument,
)

if TYPE_CHECKING:
    from posezoo.evaluation.attribution import Attribution

_EPILOG = """\b
Examples:
  posezoo train resnet18-hm+martinez --data store:path=people.h5 --steps 10 --out runs/whole
  posezoo eval runs/whole --protocol actions --json
  posezoo eval runs/whole --attribute

\b
A lifter on a store with detected 2D joints is evaluated on these and on the true ones.
"""


@click.command(name="eval", epilog=_EPILOG)
@run_argument()
@data_option("the run's own val split")
@click.option("--protocol", default="poses", show_default=True, metavar="KEY", help="What counts.")
@click.option("--flip", is_flag=True, help="Average with the mirrored person.")
@click.option("--attribute", is_flag=True, help="Which part does the 3D error come from?")
@click.option("--detail", is_flag=True, help="Also by action, subject and joint.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@devices_option
@device_option
@evaluation_workers_option
@plugin_option
def evaluate(
    run: Path,
    data: str | None,
    protocol: str,
    flip: bool,
    attribute: bool,
    detail: bool,
    as_json: bool,
    device: str,
    workers: int,
    plugins: tuple[Path, ...],
) -> None:
    """Evaluate the best checkpoint of the run in DIR.

    On a store with detected 2D joints a lifter is evaluated on these and on the true ones.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.cli.bars import Bar
    from posezoo.cli.console import print_evaluation, print_inputs
    from posezoo.evaluation.attribution import attribute_run
    from posezoo.evaluation.evaluate import Evaluation, evaluate_inputs
    from posezoo.training.devices import pick_device

    where = pick_device(device)
    result: Evaluation | Attribution
    others: list[Evaluation] = []
    if attribute and flip:
        raise click.UsageError("--attribute takes the pictures as they are: leave out --flip")
    same: dict[str, Any] = {"data": data, "protocol": protocol, "device": where}
    with Bar("evaluating") as bar:
        if attribute:
            result = attribute_run(run, workers=workers, progress=bar, **same)
        else:
            result, *others = evaluate_inputs(run, workers=workers, progress=bar, flip=flip, **same)
    if as_json:
        content = result.to_dict()
        if others:
            content["other_joints2d"] = [each.to_dict() for each in others]
        click.echo(json.dumps(content, indent=1))
    elif isinstance(result, Evaluation):
        print_evaluation(result, detail=detail)
        if others:
            print_inputs([result, *others])
    else:
        _print_attribution(result)


def _print_attribution(found: Attribution) -> None:
    """Every share with its interval, then the answer."""
    from posezoo.cli.console import say_what_does_not_count
    from posezoo.cli.tables import print_table

    across, along = found.directions["across"], found.directions["along"]
    shares = {
        "MPJPE": found.total,
        **{f"of it the {name}'s": share for name, share in found.parts.items()},
        **{f"less with {name} true in 2D": gain for name, gain in found.joints.items()},
        "error across the line of sight": across,
        f"error along it ({found.along_share:.0%} of the squared error)": along,
        **{f"of it {name}": share for name, share in found.alignment.items()},
    }
    rows = [
        (what, f"{each.mm:.2f}", f"{each.low:.2f}", f"{each.high:.2f}")
        for what, each in shares.items()
    ]
    print_table(rows, headings=("", "mm", "95 % from", "to"))
    click.echo(
        f"{found.samples} poses of {found.data}; "
        f"protocol {found.protocol.key} ({found.protocol.hash}): {found.protocol.summary}"
    )
    say_what_does_not_count(found)
    click.echo(found.answer)
