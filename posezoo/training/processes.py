"""One function in several processes that share out the work among themselves."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

from posezoo.cores import cores
from posezoo.training.signals import Stopped, StopRequest

_POLL_S = 0.2


def run_in_processes(
    function: Callable[..., None], jobs: int, *args: Any, again: str, **options: Any
) -> None:
    """Call `function(*args, threads=..., **options)` in `jobs` processes, which share the cores.

    Raises:
        ValueError: processes ended before the work was done; `again` is what goes on with it.
        Stopped: a signal asked for it.
    """
    options = {**options, "threads": max(1, cores() // jobs)}
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    processes = [context.Process(target=function, args=args, kwargs=options) for _ in range(jobs)]
    with StopRequest() as stop:
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes) and not stop.signum:
            for process in processes:
                process.join(_POLL_S)
        for process in processes:
            if stop.signum and process.is_alive():
                process.terminate()
            process.join()
    if stop.signum:
        raise Stopped(stop.signum)
    codes = [process.exitcode for process in processes if process.exitcode]
    if codes:
        raise ValueError(
            f"{len(codes)} of {jobs} processes ended early (exit codes {codes}). "
            f"Go on with: {again}"
        )
