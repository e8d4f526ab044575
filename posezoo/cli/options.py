"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="Where to compute.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Processes that load data.  [default: one per spare core where there are pictures]",
)
plugin_option = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A Python file that registers entries.",
)


_TRAINING = (
    click.option(
        "--strategy", metavar="NODE", help="How it learns.  [default: multitask or separate]"
    ),
    click.option("--data", metavar="NODE", help="Dataset.  [default: synthetic]"),
    click.option(
        "--preset", metavar="NAME", help="Named settings.  [default: laptop, gpu or lifter]"
    ),
    click.option("--steps", type=int, help="Number of steps."),
    click.option("--epochs", type=float, help="The same, in passes over the data."),
    click.option("--limit", type=int, help="Train on the first N items only."),
    click.option("--batch-size", type=int, help="Items a step."),
    click.option("--image-size", type=int, help="Pixels of the square picture."),
    click.option("--lr", type=float, help="Learning rate at its highest."),
    click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any other setting."),
    device_option,
    workers_option,
    plugin_option,
)


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What and how to train: the options of train that sweep has too."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command


def split_setting(item: str) -> tuple[str, str]:
    """The name and the value of a `--set` item."""
    name, equals, value = item.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--set {item}: expected KEY=VALUE, as in --set lifter.dropout=0.25")
    return name, value
