"""A command in several processes: which can be, who speaks for all, and `--devices`.

torchrun starts the same command several times. Ranks beside the first say nothing of what all of
them do, and of why the work ends whoever finds out first says one line.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path

import click

from posezoo.cores import cores

# The commands that processes can share: whether every rank has lines of its own, on its part.
_SHARED = {"train": False, "eval": False, "errors": False, "predict": True, "sweep": True}
_WORDS = "posezoo.cli.devices"  # of the command line, in click's contexts


def _spread(ctx: click.Context, option: click.Parameter, devices: int) -> None:
    """Be the parent of so many processes, and end with them."""
    if devices > 1 and "LOCAL_RANK" not in os.environ:
        ctx.exit(launch(devices, ctx.meta[_WORDS]))


devices_option = click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    callback=_spread,
    expose_value=False,
    help="Processes that share the work, one a GPU; torchrun for several machines.",
)


def remember(ctx: click.Context, words: Sequence[str]) -> None:
    """Keep the command line, for `--devices` to say again."""
    ctx.meta[_WORDS] = [*words]


@contextmanager
def beside_others(ctx: click.Context) -> Iterator[Callable[[str], None]]:
    """Join the processes that run this command too, if there are any.

    Gives what says in one line, for all of them, why it ends.
    """
    if "LOCAL_RANK" not in os.environ:
        yield lambda text: click.echo(text, err=True)
        return
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else a warning that all weights learn
    from posezoo.ranks import FILE, joined
    from posezoo.training.signals import end_with_parent

    end_with_parent()
    with ExitStack() as stack:
        ranks = stack.enter_context(joined())
        if not ranks.is_first and not _SHARED.get(_command(ctx)):
            stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))

        def say(text: str) -> None:
            if ranks.speaks_first(text) and FILE not in os.environ:  # else `launch` says it
                click.echo(text, err=True)

        yield say


def require_shared(ctx: click.Context) -> None:
    """See that the command is one for several processes, where there are several.

    Raises:
        ValueError: it is not.
    """
    if "LOCAL_RANK" not in os.environ or _command(ctx) in _SHARED:
        return
    from posezoo.ranks import here

    if (size := here().size) > 1:
        raise ValueError(
            f"posezoo {_command(ctx)} runs in one process, and {size} were started together; "
            f"those that share work: {', '.join(_SHARED)}"
        )


def is_silent(error: Exception) -> bool:
    """Whether the first process says the same, of what all of them were asked."""
    if "LOCAL_RANK" not in os.environ or not isinstance(error, click.ClickException):
        return False
    from posezoo.ranks import here

    return not here().is_first


def is_lost(error: RuntimeError) -> bool:
    """Whether another process has ended, so that this one cannot go on."""
    if "LOCAL_RANK" not in os.environ:
        return False
    from posezoo.ranks import lost

    return lost(error)


def launch(devices: int, words: Sequence[str]) -> int:
    """Run `posezoo WORDS` in so many processes of this machine; the exit code of the whole.

    They meet in a file and talk over the loopback interface: nothing listens to the network.
    """
    import torch.distributed as dist
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    from posezoo.ranks import FILE

    logging.disable(logging.ERROR)  # torch's own account of how its processes ended
    code, cause, ending = 0, "", ""
    with tempfile.TemporaryDirectory(prefix="posezoo-") as folder:
        os.environ[FILE] = file = str(Path(folder) / "ranks")
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // devices)))
        os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # it would listen to the network
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=devices,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint=str(Path(folder) / "agent"),
            rdzv_configs={"store_type": "file"},
            local_addr="127.0.0.1",
            max_restarts=0,
        )
        try:
            elastic_launch(config, sys.executable)("-m", "posezoo", *words)
        except SignalException as stopped:
            code, ending = 128 + stopped.sigval, f"stopped by {stopped.sigval.name}"
        except ChildFailedError as failed:
            rank, failure = failed.get_first_failure()
            code = failure.exitcode
            if code < 0:
                cause = f"rank {rank} of {devices} was killed by {signal.Signals(-code).name}"
                code = 128 - code
        store = dist.FileStore(file)
        said = store.get("said").decode() if store.check(["said"]) else ending
    if cause:
        said = "; ".join(filter(None, (f"error: {cause}", said.removeprefix("error: "))))
    if said:
        click.echo(said, err=True)
    return code


def _command(ctx: click.Context) -> str:
    """The command that the line names; the options before it take no values."""
    return next((word for word in ctx.meta[_WORDS] if not word.startswith("-")), "")
