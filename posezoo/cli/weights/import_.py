"""`posezoo weights import`: another project's file as a pipeline of ours, kept under a name."""

from __future__ import annotations

from pathlib import Path

import click

from posezoo.cli.weights.options import as_option, config_option, trust_option

_EPILOG = """\b
Examples:
  posezoo weights import pretrained_h36m_cpn.bin --out videopose3d  # needs that file
  posezoo weights import best_epoch.bin --config '{"num_heads": 8}' --out mixste  # needs it too
"""


@click.command("import", epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", "name", required=True, metavar="NAME", help="What to call it here.")
@as_option
@config_option
@click.option(
    "--statistics", default="", metavar="DATASET", help="Of z-scores, where the file lacks them."
)
@trust_option
@click.option("--replace", is_flag=True, help="Take the place of what has that name.")
def import_(
    file: Path,
    name: str,
    spec: str,
    config: str | None,
    statistics: str,
    trust: bool,
    replace: bool,
) -> None:
    """Recognise FILE, load it into our network without a remainder, and keep it as NAME.

    FILE may be hub:ORG/NAME, or the folder of a run, which is kept as it is.
    """
    from posezoo.weights.config import read_config
    from posezoo.weights.importing import check_free, import_file, keep
    from posezoo.weights.named import own_weights

    check_free(name, replace=replace)  # before a large file is read for nothing
    if (own := own_weights(str(file))) is not None:
        stored = keep(own.pipeline, own.about, name, replace=replace)
        click.echo(f"posezoo's own: {own.pipeline.spec}")
    else:
        imported = import_file(
            file,
            spec=spec,
            config=read_config(config) if config else None,
            statistics=statistics,
            trust=trust,
            warn=lambda text: click.echo(text, err=True),
        )
        stored = keep(imported.pipeline, imported.about, name, replace=replace)
        for note in imported.notes:
            click.echo(note)
        family = imported.family
        click.echo(f"input    {family.input}")
        click.echo(f"output   {family.output}")
        click.echo(f"scale    {imported.about['scale']}")
        click.echo(f"licence  code {family.licence}; weights: {family.terms}")
    click.echo(f"kept as '{name}' ({stored.path}); use: posezoo.load('{name}')")
