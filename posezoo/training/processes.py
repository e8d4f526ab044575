"""One function in several processes that share out the work among themselves."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from posezoo.cores import cores
from posezoo.training.signals import Stopped, StopRequest, end_with_parent

_POLL_S, _WATCH_S = 0.2, 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_in_processes(
    function: Callable[..., None],
    jobs: int,
    *args: Any,
    again: str,
    watch: Callable[[], None] = lambda: None,
    **options: Any,
) -> None:
    """Call `function(*args, threads=..., **options)` in `jobs` processes, which share the cores.

    `watch` is called here every two seconds, and once at the end.

    Raises:
        ValueError: processes ended before the work was done; `again` is what goes on with it.
        Stopped: a signal asked for it.
    """
    options = {**options, "threads": max(1, cores() // jobs)}
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    processes = [
        context.Process(target=_child, args=(function, *args), kwargs=options) for _ in range(jobs)
    ]
    due = time.monotonic() + _WATCH_S
    with StopRequest() as stop:
        with _held_back():  # from them too, until they have a handler
            for process in processes:
                process.start()
        while any(process.is_alive() for process in processes) and not stop.signum:
            for process in processes:
                process.join(_POLL_S)
            if time.monotonic() > due:
                watch()
                due = time.monotonic() + _WATCH_S
        for process in processes:
            if stop.signum and process.is_alive():
                process.terminate()
            process.join()
    watch()
    if stop.signum:
        raise Stopped(stop.signum, f"go on with {again}")
    codes = [process.exitcode for process in processes if process.exitcode]
    if codes:
        raise ValueError(
            f"{len(codes)} of {jobs} processes ended early (exit codes {codes}). "
            f"Go on with: {again}"
        )


def _child(function: Callable[..., None], *args: Any, **options: Any) -> None:
    """The work of one process; a signal ends it without a word, which is its parent's to say."""
    with StopRequest() as stop:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        stop.at_once("")
        end_with_parent()
        function(*args, **options)


@contextmanager
def _held_back() -> Iterator[None]:
    """Signals wait meanwhile, also in processes that are started here."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
