"""The command line. One file per command, imported when the command is called."""

from __future__ import annotations

import importlib
from typing import Any

import click

# Command: where it lives, and its line in `posezoo --help`.
_COMMANDS = {
    "list": ("posezoo.cli.list_:list_entries", "What the zoo holds."),
    "info": ("posezoo.cli.info:info", "The card of an entry or a pipeline."),
    "train": ("posezoo.cli.train:train", "Train a pipeline."),
    "eval": ("posezoo.cli.eval:evaluate", "Evaluate a trained pipeline."),
    "bench": ("posezoo.cli.bench:bench", "Time the operations, and check them first."),
    "env": ("posezoo.cli.env:env", "Versions, hardware, and the path that kernels take."),
}
# What a user's mistake raises in the library: one line, no traceback.
_USER_ERRORS = (ValueError, OSError, ImportError)


class Commands(click.Group):
    """A group that imports a command's module when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table's own lines, so that `--help` imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a user's mistake ends in one line on stderr and exit code 2."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `posezoo list | head`: click ends it quietly
            raise
        except _USER_ERRORS as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"error: {_one_line(error)}", err=True)
            ctx.exit(2)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  posezoo list --kind lifter\n  posezoo info resnet50-hm+martinez",
)
@click.option(
    "--debug", is_flag=True, envvar="POSEZOO_DEBUG", help="Show the traceback of an error."
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, wanted: _show_version(ctx) if wanted else None,
    help="Show the version and exit.",
)
def main(debug: bool) -> None:
    """3D human pose from one picture: a zoo of backbones, heads and lifters."""


def _show_version(ctx: click.Context) -> None:
    import posezoo  # asked only now: finding the version reads the installed packages

    click.echo(f"posezoo {posezoo.__version__}")
    ctx.exit()


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
