"""The command line. One file per command, imported when the command is called."""

from __future__ import annotations

from typing import Any

import click

from posezoo.cli.devices import beside_others, is_lost, is_silent, remember, require_shared
from posezoo.cli.lazy import LazyGroup
from posezoo.cli.usage import taught
from posezoo.cores import wait_quietly
from posezoo.hints import shown
from posezoo.training.signals import Stopped, StopRequest

# Command: where it lives, and its line in `posezoo --help`.
_COMMANDS = {
    "list": ("posezoo.cli.list_:list_entries", "What the zoo holds."),
    "info": ("posezoo.cli.info:info", "The card of an entry or a pipeline."),
    "predict": ("posezoo.cli.predict:predict", "People in 3D from pictures and videos."),
    "lift": ("posezoo.cli.lift:lift", "Joints of other programs, in 3D."),
    "view": ("posezoo.cli.view:view", "A page to look at predictions, runs and data in 3D."),
    "app": ("posezoo.cli.app:app", "A page on this machine: drop a picture, see it in 3D."),
    "train": ("posezoo.cli.train:train", "Train a pipeline."),
    "eval": ("posezoo.cli.eval:evaluate", "Evaluate a trained pipeline."),
    "errors": ("posezoo.cli.errors:errors", "How a detector errs, to train a lifter with."),
    "sweep": ("posezoo.cli.sweep:sweep", "Train over many settings, as one study."),
    "report": ("posezoo.cli.report:report", "The source report's comparisons, run and judged."),
    "compare": ("posezoo.cli.compare:compare", "Runs beside each other, where that is fair."),
    "data": ("posezoo.cli.data:data", "Get data in, and see whether it is right."),
    "weights": ("posezoo.cli.weights:weights", "Weights by name, and whose they are."),
    "export": ("posezoo.cli.export:export", "A run or weights as a file for other runtimes."),
    "bench": ("posezoo.cli.bench:bench", "Time the operations, and check them first."),
    "check": ("posezoo.cli.check:check", "Prove that an entry keeps its contract."),
    "new": ("posezoo.cli.new:new", "Write a package with an entry of your own."),
    "env": ("posezoo.cli.env:env", "Versions, hardware, and the path that kernels take."),
}
# What a user's mistake raises in the library: one line, no traceback.
_USER_ERRORS = (ValueError, OSError, ImportError, MemoryError, RecursionError)
_LONGEST = 4000  # characters of an error: what it quotes is shortened where it is made


class Commands(LazyGroup):
    """The group of all commands; what goes wrong by a user's mistake is said in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words beside what they mean."""
        remember(ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a user's mistake ends in one line on stderr and exit code 2."""
        wait_quietly()  # no command has loaded torch yet
        with StopRequest(restores=not ctx.obj) as stop:
            try:
                stop.at_once("type the same command again")
                return self._invoke(ctx, stop)
            except Stopped as stopped:  # while it waited for the other processes
                click.echo(stopped.said, err=True)
                ctx.exit(int(stopped.code or 0))

    def _invoke(self, ctx: click.Context, stop: StopRequest) -> Any:
        with beside_others(ctx) as say:
            try:
                require_shared(ctx)
                return super().invoke(ctx)
            except BrokenPipeError:  # `posezoo list | head`: click ends it quietly
                raise
            except Stopped as stopped:
                say(stopped.said)
                ctx.exit(int(stopped.code or 0))
            except _USER_ERRORS as error:
                if ctx.params["debug"]:
                    raise
                say(f"error: {_one_line(error)}")
                ctx.exit(2)
            except click.ClickException as error:
                if is_silent(error):
                    ctx.exit(error.exit_code)
                if isinstance(error, click.UsageError):
                    raise taught(error) from None
                raise
            except RuntimeError as error:
                if not is_lost(error):
                    raise
                say("error: another of the processes ended, and with it the work of all")
                ctx.exit(2)
            finally:
                stop.over()


@click.group(
    cls=Commands,
    table=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  posezoo list --kind lifter\n  posezoo info resnet50-hm+martinez\n"
    "  posezoo data sample --out .  # the files that the examples of every --help name",
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
    lines = (line.strip() for line in text.splitlines() if line.strip())
    return shown("; ".join(lines), _LONGEST)
