"""`posezoo errors`: how a run's detector errs, as a model that a lifter can be trained with."""

from __future__ import annotations

from pathlib import Path

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

_EPILOG = """\b
Examples:
  posezoo train resnet18-hm --data store:path=people.h5 --steps 10 --out runs/detector
  posezoo errors runs/detector --data synthetic:items=60 --out errors.json
  posezoo errors --data store:path=h36m.h5,joints2d=cpn --out cpn.json  # needs that store
"""


@click.command(epilog=_EPILOG)
@run_argument(required=False)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write.")
@data_option("the run's own val split")
@click.option("--limit", type=click.IntRange(min=0), default=0, help="Pictures.  [default: all]")
@devices_option
@device_option
@evaluation_workers_option
@plugin_option
def errors(
    run: Path | None,
    out: Path,
    data: str | None,
    limit: int,
    device: str,
    workers: int,
    plugins: tuple[Path, ...],
) -> None:
    """Fit an error model to what the detector of the run in DIR finds on people.

    Without DIR, to what --data has: store:path=FILE.h5,joints2d=NAME (posezoo data detections).
    Take people whom it was not trained on: on its own it errs less than on strangers. A lifter
    trains with the file by --strategy separate:lifter_input=noisy,errors=FILE, anylift with an
    augmentation by detected:fitted=FILE.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    from posezoo.cli.bars import Bar
    from posezoo.cli.tables import print_table
    from posezoo.evaluation.detections import fit_errors
    from posezoo.ranks import here
    from posezoo.training.devices import pick_device

    with Bar("detecting") as bar:
        model, found = fit_errors(
            run, data=data, limit=limit, device=pick_device(device), workers=workers, progress=bar
        )
    if not here().is_first:
        return
    if found.trained_on:
        click.echo(
            f"warning: the detector was trained on {', '.join(found.trained_on)}: on strangers it "
            "errs more than this model says",
            err=True,
        )
    model.save(out)
    rows = []
    for name, joint in model.joints.items():
        spread = (joint.covariance[0][0] + joint.covariance[1][1]) ** 0.5
        middle, missed = joint.confidence[5], joint.missed_confidence[5]
        rows.append(
            (
                name,
                f"{100 * spread:.1f}",
                f"{100 * joint.missed:.1f}",
                f"{100 * joint.swapped:.1f}",
                f"{middle:.2f}",
                f"{missed:.2f}" if joint.missed else "",
            )
        )
    headings = ("", "error, % of size", "missed %", "swapped %", "confidence", "when missed")
    print_table(rows, headings=headings)
    click.echo(f"{out}: of {len(found.true)} pictures of {len(found.subjects)} people")
