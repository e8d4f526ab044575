"""Reading that a damaged file can hang, crash or bloat is tried in a child process first.

HDF5 follows a damaged heap for ever, or to an address that is not there; a small MATLAB or CDF file
may declare terabytes. None of that can be stopped from Python inside one process. So a fork of this
one reads first, within limits of time and memory, and its result is thrown away; what ended well
there is read again here. Only Linux has both the fork and the limits that this takes: elsewhere the
file is read at once. docs/security.md says so.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

_SECONDS, _BYTES_A_SECOND = 5, 20e6  # of the processor
_TIMES_THE_CLOCK = 10  # on a busy machine, or from a slow disk
_MEMORY, _TIMES_THE_FILE = 1 << 30, 32
_NO_MEMORY = 3  # the child's exit code
_tried: set[tuple[int, int, int, int, str]] = set()  # which ended well in this process


def rehearse(path: Path, read: Callable[[], object], *, name: str = "") -> None:
    """Call `read` in a child. What it raises there is left to be raised by the reading here.

    Args:
        path: the file.
        read: reads it.
        name: of the reading, if it depends on nothing but the file: it is then tried once, for as
            long as the file does not change.

    Raises:
        ValueError: it crashed, or took more time or memory than a file of that size may.
    """
    if sys.platform != "linux" or not path.is_file():
        return
    found = path.stat()
    size = found.st_size
    known = (found.st_dev, found.st_ino, size, found.st_mtime_ns, name)
    if name and known in _tried:
        return
    seconds, memory = int(_SECONDS + size / _BYTES_A_SECOND), _MEMORY + _TIMES_THE_FILE * size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child calls none
        pid = os.fork()
    if not pid:
        _child(read, memory, seconds)
    status = _wait(pid, seconds * _TIMES_THE_CLOCK)
    if status is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        raise ValueError(f"{path}: damaged: its reading had not ended after {seconds} s")
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        raise ValueError(f"{path}: damaged: its reading crashed ({name})")
    if os.WEXITSTATUS(status) == _NO_MEMORY:
        raise ValueError(
            f"{path}: its {size:,} bytes would take more than {memory >> 20:,} MiB of memory; "
            "no poses pack so well"
        )
    if name:
        _tried.add(known)


def _child(read: Callable[[], object], memory: int, seconds: int) -> None:
    """Read, and end the process, whatever happens."""
    gc.freeze()  # first: its parent's garbage may wait for threads, which are not here
    code = 0  # also of an error: it is raised again where somebody hears it
    try:
        import resource  # noqa: PLC0415 - Unix only

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)  # its parent's: a stop is no damage to the file
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)  # a crash prints
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        read()
    except MemoryError:
        code = _NO_MEMORY
    finally:
        os._exit(code)


def _wait(pid: int, seconds: float) -> int | None:
    """The child's status; None if it had to be killed for its time."""
    end, pause = time.monotonic() + seconds, 0.0005
    try:
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                pid = 0
                return status
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        return None
    finally:
        if pid:  # also on Ctrl-C
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
