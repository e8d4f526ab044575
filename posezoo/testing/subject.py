"""The entry under test: how it is built, and with what it is fed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from posezoo.registry import Entry


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a network of one kind is fed, and what it says of itself."""

    make: Callable[[Any, int], tuple[Any, ...]]  # network, count -> arguments of its forward
    loss: Callable[[Any], Tensor]  # network -> scalar, the loss of one small training batch
    prepare: Callable[[Any], None]  # network -> fitted to training data, as before a training
    facts: Callable[[Any], dict[str, Any]]  # network -> what the manifest may say of it


@dataclass(kw_only=True)
class Subject:
    """One entry with the user's parameters. `part` is shared by checks, which do not change it."""

    entry: Entry
    params: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)  # by the pipeline, in real life
    inputs: Inputs | None = None  # None for kinds that are no networks

    def build(self, *, seed: int = 0, **changes: Any) -> Any:
        """A new one, in training mode if it is a network."""
        torch.manual_seed(seed)
        return self.entry.build(**{**self.given, **self.params, **changes})

    def network(self, *, seed: int = 0) -> tuple[Any, Inputs]:
        """A new network, prepared for training, and its inputs."""
        assert self.inputs is not None
        part = self.build(seed=seed)
        self.inputs.prepare(part)
        return part, self.inputs

    @cached_property
    def part(self) -> Any:
        """A prepared network in eval mode."""
        return self.network()[0].eval()

    def outputs(self, part: Any, count: int = 4) -> tuple[Tensor, ...]:
        """The forward of a network on `count` samples, without gradient."""
        assert self.inputs is not None
        with torch.no_grad():
            return as_tuple(part(*self.inputs.make(part, count)))

    def __str__(self) -> str:
        return f"{self.entry.kind} '{self.entry.key}'"


def as_tuple(outputs: Any) -> tuple[Tensor, ...]:
    """A backbone gives a tuple of maps, the others one tensor."""
    return outputs if isinstance(outputs, tuple) else (outputs,)
