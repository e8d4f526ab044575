"""`posezoo weights verify`: another project's weights in our network, beside their own output."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from posezoo.cli.weights.options import as_option, config_option, trust_option

_EPILOG = """\b
Examples:
  posezoo weights verify model_best.pth case.npz  # needs both files
  posezoo weights verify mixste.safetensors case.npz --config '{"num_heads": 8}'  # needs both
"""


@click.command(epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("case", type=click.Path(path_type=Path))
@as_option
@config_option
@trust_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def verify(
    ctx: click.Context,
    file: Path,
    case: Path,
    spec: str,
    config: str | None,
    trust: bool,
    as_json: bool,
) -> None:
    """Import FILE, run it on the input of CASE, compare with its output.

    CASE is an .npz with `input` and `output` of the original code, in its own convention. The exit
    code is 0 if they differ by at most 1e-4 of the largest output, else 1.
    """
    from posezoo.weights.config import read_config
    from posezoo.weights.verifying import TOLERANCE
    from posezoo.weights.verifying import verify as compare

    verdict, imported = compare(
        file,
        case,
        spec=spec,
        config=read_config(config) if config else None,
        trust=trust,
        warn=lambda text: click.echo(text, err=True),
    )
    if as_json:
        click.echo(json.dumps(asdict(verdict)))
    else:
        if imported.others:
            click.echo(f"(the files of {', '.join(imported.others)} look the same: --as NAME)")
        click.echo(f"family              {verdict.family}")
        click.echo(f"pipeline            {verdict.spec}")
        click.echo(f"largest difference  {verdict.max_abs_diff:.3g}")
        click.echo(f"largest output      {verdict.max_abs_output:.3g}")
        if imported.family.assumed and not imported.config:
            assumed = ", ".join(imported.family.assumed)
            click.echo(f"assumed             {assumed} (else: --config)")
        word = "equal" if verdict.equal else "NOT equal"
        click.echo(f"{word}: {TOLERANCE:g} of the largest output is allowed")
    ctx.exit(0 if verdict.equal else 1)
