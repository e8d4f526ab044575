"""An exponential moving average of a model's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Ema:
    """Follows a module's state; what is not a floating-point number is copied."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: value.clone() for name, value in module.state_dict().items()}
        self.updates = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take a step towards the module; the first are longer, so that the start is forgotten."""
        self.updates += 1
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        now = module.state_dict()
        moving = [name for name, value in now.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.state[n] for n in moving], [now[n] for n in moving], weight)
        for name in now.keys() - moving:
            self.state[name].copy_(now[name])

    def restore(self, state: dict[str, Tensor], updates: int) -> None:
        """Go on from saved averages."""
        self.updates = updates
        for name, value in state.items():
            self.state[name].copy_(value)
