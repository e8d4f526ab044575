"""What click says of a wrong word, with the right one behind it."""

from __future__ import annotations

import re

import click

from posezoo.hints import did_you_mean

_CHOICE = re.compile(r"'([^']*)' is not one of")


def taught(error: click.UsageError) -> click.UsageError:
    """The same error: with an example where a word is missing, a near word where one is wrong."""
    said, more = error.format_message(), ""
    example = first_example(error.ctx.command) if error.ctx else ""
    if isinstance(error, click.MissingParameter) and example:
        more = f" As in: {example}"
    elif (wrong := _CHOICE.search(said)) and isinstance(error, click.BadParameter):
        kind = error.param.type if error.param else None
        if isinstance(kind, click.Choice):
            more = did_you_mean(wrong[1], map(str, kind.choices))
    return click.UsageError(said + more, ctx=error.ctx) if more else error


def first_example(command: click.Command) -> str:
    """The first line below "Examples:" of a command's help; "" where it has none."""
    _, _, text = (command.epilog or "").partition("Examples:\n")
    return text.strip().partition("\n")[0].partition("  #")[0].strip()
