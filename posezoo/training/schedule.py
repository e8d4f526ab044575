"""Learning-rate schedules, as a factor of the base rate."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from posezoo.settings import ScheduleKind


@dataclass(slots=True, kw_only=True)
class Schedule:
    """The rate's factor at a step, and the memory of the plateau schedule.

    "plateau" multiplies by `decay` once `patience` evaluations in a row brought nothing better (the
    source report's 1e-3 then 1e-4); "exponential" multiplies by `decay` every `decay_steps`, in
    between as well; "onecycle" rises for `warmup` of the steps and falls to 0 by a cosine.
    """

    kind: ScheduleKind
    steps: int
    decay: float
    decay_steps: int
    patience: int
    warmup: float
    reduced: float = 1.0
    best: float = math.inf
    waited: int = 0

    def factor(self, step: int) -> float:
        """What the base rate is multiplied by at this step."""
        progress = step / max(1, self.steps)
        match self.kind:
            case "exponential":
                return self.decay ** (step / self.decay_steps)
            case "onecycle" if progress < self.warmup:
                return (step + 1) / (self.warmup * self.steps + 1)
            case "onecycle":
                return 0.5 + 0.5 * math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup))
            case _:
                return self.reduced

    def observe(self, error: float) -> None:
        """Tell of an evaluation; only "plateau" listens."""
        if self.kind != "plateau":
            return
        if error < self.best:
            self.best, self.waited = error, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.reduced, self.waited = self.reduced * self.decay, 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold (infinity as text, JSON has none)."""
        kept = {k: asdict(self)[k] for k in ("reduced", "best", "waited")}
        return {**kept, "best": repr(self.best)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.reduced, self.best = float(state["reduced"]), float(state["best"])
        self.waited = int(state["waited"])
