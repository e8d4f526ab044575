"""The command line, as `posezoo` and as `python -m posezoo`."""

from __future__ import annotations

import atexit
import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line; a signal while it loads ends it in one line, too."""
    atexit.register(_go_quietly)  # registered first, called last
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _end)
    from posezoo.cli import main as run  # noqa: PLC0415 - what takes the time

    try:
        run(prog_name="posezoo", obj=True)  # the process is this command's
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda signum, _: os._exit(128 + signum))  # all is said


def _end(signum: int, frame: FrameType | None) -> None:
    # Nothing has begun yet, and an exception would end in a traceback here.
    os.write(2, f"stopped by {signal.Signals(signum).name}\n".encode())
    os._exit(128 + signum)


def _go_quietly() -> None:
    """Python takes every handler down before it clears up; what is ignored stays so."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)


if __name__ == "__main__":
    main()
