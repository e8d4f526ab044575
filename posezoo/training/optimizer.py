"""One stage's optimiser together with its schedule, and their state for a checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from posezoo.hints import shown
from posezoo.settings import Settings
from posezoo.training.schedule import Schedule

_KINDS: dict[str, Any] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
_FUSED = ("adam", "adamw", "sgd")  # one pass over the weights, on the CPU too
_MEMORY = {
    "adam": ("step", "exp_avg", "exp_avg_sq"),
    "adamw": ("step", "exp_avg", "exp_avg_sq"),
    "sgd": ("momentum_buffer",),
    "rmsprop": ("step", "square_avg"),
}
_OPTIONS: dict[str, dict[str, Any]] = {"sgd": {"momentum": 0.9}}


class Optimizer:
    """Steps the parameters that learn, at the schedule's rate."""

    def __init__(self, parameters: list[nn.Parameter], settings: Settings, steps: int) -> None:
        self.parameters, self.base, self.clip = parameters, settings.lr, settings.grad_clip
        self.kind = kind = settings.optimizer
        options = {**_OPTIONS.get(kind, {}), **({"fused": True} if kind in _FUSED else {})}
        self.optimizer: torch.optim.Optimizer = _KINDS[kind](
            parameters, lr=settings.lr, weight_decay=settings.weight_decay, **options
        )
        self.schedule = Schedule(
            kind=settings.schedule,
            steps=steps,
            decay=settings.decay,
            decay_steps=settings.decay_steps,
            patience=settings.patience,
            warmup=settings.warmup,
        )

    def update(self, loss: Tensor, step: int) -> float:
        """Backward and one update at the rate of `step` of the stage; returns that rate."""
        rate = self.base * self.schedule.factor(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.clip:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        return rate

    def tensors(self) -> dict[str, Tensor]:
        """The optimiser's memory, by parameter number and name: "12.exp_avg"."""
        memory = self.optimizer.state_dict()["state"]
        return {
            f"{index}.{name}": value
            for index, values in memory.items()
            for name, value in values.items()
            if isinstance(value, Tensor)
        }

    def restore(self, tensors: dict[str, Tensor], schedule: dict[str, Any], *, origin: str) -> None:
        """Go on from saved memory.

        Raises:
            ValueError: it is of other parameters or of another optimiser.
        """
        self.schedule.restore(schedule)
        self._require_own(tensors, origin)
        memory: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            index, name = key.split(".", 1)
            parameter = self.parameters[int(index)]
            # In the parameter's own memory layout: other strides take another code path, whose
            # last bit may differ.
            alike = value.shape == parameter.shape
            own = torch.empty_like(parameter).copy_(value) if alike else value
            memory.setdefault(int(index), {})[name] = own
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": memory, "param_groups": groups})

    def _require_own(self, tensors: dict[str, Tensor], origin: str) -> None:
        """All or none of a parameter's memory, each a single number or of the parameter's shape."""
        known = _MEMORY[self.kind]
        for key, value in tensors.items():
            index, _, name = key.partition(".")
            if not index.isdecimal() or int(index) >= len(self.parameters) or name not in known:
                raise ValueError(f"{origin}: 'optimizer.{shown(key)}' is not of this optimiser")
            shape = self.parameters[int(index)].shape
            if value.shape not in ((), shape) or not value.is_floating_point():
                raise ValueError(
                    f"{origin}: 'optimizer.{key}' is {value.dtype} {tuple(value.shape)}, expected "
                    f"numbers of {tuple(shape)}"
                )
            if lost := [each for each in known if f"{index}.{each}" not in tensors]:
                raise ValueError(f"{origin}: lacks 'optimizer.{index}.{lost[0]}'")
