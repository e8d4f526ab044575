"""What a training loop counts between two lines of its log."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from posezoo.contracts import Batch


class Meter:
    """Mean losses and speed since the last report. Waits for the device only when it is read."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin to count."""
        self.sums: dict[str, Tensor | float] = {}
        self.steps = self.items = 0
        self.waited = 0.0
        self.since = time.perf_counter()

    def waiting(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """The same batches, with the time that each took to arrive counted."""
        before = time.perf_counter()
        for batch in batches:
            self.waited += time.perf_counter() - before
            yield batch
            before = time.perf_counter()

    def add(self, terms: dict[str, Tensor], items: int) -> None:
        """Count a step."""
        for name, term in terms.items():
            self.sums[name] = self.sums.get(name, 0) + term.detach()
        self.steps, self.items = self.steps + 1, self.items + items

    def state(self) -> dict[str, Any]:
        """What was counted since the last report, for a checkpoint."""
        return {"sums": {k: float(v) for k, v in self.sums.items()}, "steps": self.steps}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting from `state`, so that a resumed run logs the same means."""
        self.sums, self.steps = dict(state["sums"]), state["steps"]

    def read(self) -> tuple[dict[str, float], dict[str, float]]:
        """Mean of each loss term; items per second and the share of time spent waiting."""
        losses = {name: float(value) / self.steps for name, value in self.sums.items()}
        seconds = time.perf_counter() - self.since
        timing = {"items_per_s": self.items / seconds, "wait_share": self.waited / seconds}
        self.clear()
        return losses, timing
