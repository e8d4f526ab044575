"""`posezoo report`: the source report's comparisons, trained, judged, drawn and explained."""

from __future__ import annotations

from pathlib import Path

import click

from posezoo.cli.options import data_option, device_option, workers_option

_EPILOG = """\b
Examples:
  posezoo report --scale smoke --out runs/report  # 5 minutes
  posezoo report --scale cpu --data mocap:path=poses --row max-norm --jobs 2  # an hour
"""


@click.command(epilog=_EPILOG)
@click.option("--scale", default="smoke", show_default=True, help="How long: smoke, cpu or gpu.")
@data_option("synthetic people")
@click.option("--row", "rows", multiple=True, metavar="KEY", help="Only this row; repeatable.")
@click.option("--seeds", type=click.IntRange(min=1), help="Of each training.  [default: by scale]")
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Where the scale's backbone starts, safetensors.  [default: by scale]",
)
@click.option("--out", default="runs/report", show_default=True, type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(1, 99), default=1, show_default=True, help="Processes.")
@click.option("--page-only", is_flag=True, help="Train nothing; write what there is.")
@device_option
@workers_option
def report(
    scale: str,
    data: str | None,
    rows: tuple[str, ...],
    seeds: int | None,
    weights: Path | None,
    out: Path,
    jobs: int,
    page_only: bool,
    device: str,
    workers: int | None,
) -> None:
    """Run the source report's comparisons and write README.md, table.csv, report.json and figures.

    With --row, the rows that stand in --out already stay on its page.

    Killed, it goes on where it stood when called again; variants that are the same training are
    trained once. A training that fails is reported and skipped.
    """
    from posezoo.cli.bars import Trainings
    from posezoo.report.definition import read_report
    from posezoo.report.merging import merged
    from posezoo.report.page import FILES, write_page
    from posezoo.report.trials import Trials
    from posezoo.report.work import work, work_together

    chosen = read_report(scale, data=data, seeds=seeds or 0, only=rows)
    trials = Trials(chosen, out, device=device, weights=weights)
    page = merged(trials, read_report(scale, data=data, seeds=seeds or 0)) if rows else trials
    count = len({trial.run.path for trial in trials})
    steps = {t.run.path: t.settings.steps for t in trials if not t.done and not t.failure}
    click.echo(f"rows {len(chosen.rows)}, trainings {count}, scale {scale}: {chosen.summary}")
    if not page_only:
        click.echo(f"to do: {len(steps)} trainings, {sum(steps.values()):,} steps in all")
        if jobs > 1:
            work_together(trials, jobs, workers=workers)
        else:
            with Trainings("trainings", len(steps)) as bar:
                work(trials, workers=workers, say=bar.said, loggers=[bar])
    click.echo(write_page(page))
    click.echo(f"{out}: {', '.join(FILES)}, figures; runs in trials/")
