"""Where a training step of the real loop spends its time: `python -m benchmarks.lifter_profile`.

Shares of the time between two steps, of one thread: waiting for data, forward with the loss,
backward, the optimiser, and all else (the meter, checks, the log). Evaluations, saves and what
comes before the first step are left out. It writes nothing: `benchmarks.lifter_training` puts the
shares into its results.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from posezoo.cores import keep_freed_memory
from posezoo.registry import parse_node, parse_pipeline
from posezoo.training import loop
from posezoo.training.meter import Meter
from posezoo.training.optimizer import Optimizer
from posezoo.training.runs import plan, start

SHARES = ("data", "forward", "backward", "optimiser", "bookkeeping")
_WARM_UP = 8  # steps that do not count


class Laps:
    """Time by name: each lap is what has passed since the last."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.steps = 0
        self._last: float | None = None

    def lap(self, name: str) -> None:
        """What has passed since the last lap was this."""
        now = time.process_time()
        if self._last is not None and self.steps >= _WARM_UP:
            self.seconds[name] += now - self._last
        self._last = now

    def pause(self) -> None:
        """Count nothing until the next lap."""
        self._last = None

    @property
    def ms(self) -> dict[str, float]:
        """Of a step."""
        return {name: 1e3 * self.seconds[name] / (self.steps - _WARM_UP) for name in SHARES}


def main() -> None:
    """Print the shares of each batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--pipeline", default="martinez")
    parser.add_argument("--preset", default="none")
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--set", dest="sets", nargs="*", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args()
    keep_freed_memory()  # as the command line does
    torch.set_num_threads(1)
    print("| batch | ms a step | " + " | ".join(SHARES) + " |\n" + "|---" * 7 + "|")
    for batch in chosen.batch:
        changes = dict(item.split("=", 1) for item in chosen.sets)
        changes |= {"batch_size": str(batch), "steps": str(chosen.steps + _WARM_UP)}
        ms = profile(chosen.pipeline, preset=chosen.preset, data=chosen.data, changes=changes)
        total = sum(ms.values())
        cells = [f"{100 * ms[name] / total:.1f} %" for name in SHARES]
        print(f"| {batch} | {total:.2f} | {' | '.join(cells)} |", flush=True)


def profile(pipeline: str, *, preset: str, data: str, changes: dict[str, str]) -> dict[str, float]:
    """Milliseconds of a step, by what they were spent on."""
    changes = {"eval_every": changes["steps"], "eval_samples": "64"} | changes
    with TemporaryDirectory() as folder, _timed() as laps:
        run, settings, _ = plan(
            pipeline=parse_pipeline(pipeline),
            data=parse_node(data),
            preset=preset,
            changes=changes,
            out=Path(folder) / "run",
            device="cpu",
        )
        start(run, settings, device="cpu", draw=False)
    return laps.ms


@contextmanager
def _timed() -> Iterator[Laps]:
    """The loop with a clock at its seams."""
    laps = Laps()
    waiting, update, run_stage = Meter.waiting, Optimizer.update, loop.Training._run_stage
    evaluate, save = loop.Training._evaluate, loop.Training._save

    def timed_waiting(self: Meter, batches: Iterable[Any]) -> Iterable[Any]:
        source = iter(waiting(self, batches))
        while True:
            laps.lap("bookkeeping")
            try:
                batch = next(source)
            except StopIteration:
                return
            laps.lap("data")
            yield batch

    def timed_stage(self: Any, stage: Any, *rest: Any) -> None:
        def losses(*given: Any) -> Any:
            laps.lap("bookkeeping")
            terms = stage.losses(*given)
            laps.lap("forward")
            return terms

        laps.pause()
        run_stage(self, replace(stage, losses=losses), *rest)

    def timed_update(self: Optimizer, *given: Any) -> float:
        laps.lap("bookkeeping")
        rate = update(self, *given)
        laps.steps += 1
        return rate

    def left_out(method: Callable[..., None]) -> Callable[..., None]:
        def run(*given: Any) -> None:
            laps.lap("bookkeeping")
            method(*given)
            laps.pause()

        return run

    hooks = (
        register_optimizer_step_pre_hook(lambda *_: laps.lap("backward")),
        register_optimizer_step_post_hook(lambda *_: laps.lap("optimiser")),
    )
    with (
        patch.object(Meter, "waiting", timed_waiting),
        patch.object(Optimizer, "update", timed_update),
        patch.object(loop.Training, "_run_stage", timed_stage),
        patch.object(loop.Training, "_evaluate", left_out(evaluate)),
        patch.object(loop.Training, "_save", left_out(save)),
    ):
        try:
            yield laps
        finally:
            for hook in hooks:
                hook.remove()


if __name__ == "__main__":
    main()
