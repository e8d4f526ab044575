"""The random numbers of one change, as a function of (seed, index, place in the list) alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.data import counter_random


@dataclass(frozen=True, slots=True)
class RandomStream:
    """What chance has in store for each of B items. Clips have one draw for all their frames."""

    seed: int
    index: NDArray[np.int64]  # (B,)
    stream: str  # which change draws: two of a kind do not share numbers
    device: torch.device

    def draw(self, count: int, name: str) -> NDArray[np.float64]:  # (B, count) in [0, 1)
        """Independent numbers, `count` for each item, on the host."""
        return counter_random.uniform(self.seed, self.index, count, f"{self.stream}/{name}")

    def uniform(self, count: int, name: str) -> Tensor:  # (B, count) in [0, 1), float32
        """The same numbers on the device."""
        return torch.from_numpy(self.draw(count, name)).float().to(self.device)

    def happens(self, chance: float) -> Tensor:  # (B,) bool
        """Which items are changed at all."""
        return self.uniform(1, "happens")[:, 0] < chance

    def strength(self, count: int, chance: float) -> Tensor:  # (B, count) in [-1, 1), float32
        """How much of a change, and which way; 0 where it does not happen."""
        return (2 * self.uniform(count, "strength") - 1) * self.happens(chance)[:, None]
