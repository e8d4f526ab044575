"""`posezoo weights push`: weights with a card into a repository on huggingface.co."""

from __future__ import annotations

import sys

import click

_EPILOG = """\b
Examples:
  posezoo weights push mixste-243 hub:me/mixste-243 --private  # needs an account
  posezoo weights push runs/lifter hub:me/my-lifter  # needs an account
"""


@click.command(epilog=_EPILOG)
@click.argument("name")
@click.argument("target", metavar="hub:ORG/NAME")
@click.option("--private", is_flag=True, help="Make the repository private, if it is new.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
def push(name: str, target: str, private: bool, yes: bool) -> None:
    """Put the weights NAME, or a run, into a repository, with a generated model card."""
    from posezoo.weights import hub
    from posezoo.weights.named import open_named

    named = open_named(name)
    if terms := named.about.get("terms"):
        click.echo(f"terms of these weights: {terms}", err=True)
        if not yes and sys.stdin.isatty():
            click.confirm("May you publish them?", default=False, abort=True)
    page = hub.push(target, named.pipeline.state_dict(), named.about, private=private)
    click.echo(page)
