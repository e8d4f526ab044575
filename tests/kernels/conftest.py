"""Kernels run in memory that notices them: what they must not touch is not a number, and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

MARGIN = 1024  # elements on either side


class Arena:
    """Tensors in the middle of buffers whose margins must stay NaN.

    A kernel that reads beyond an input gets NaN, one that writes beyond an output is found by
    `check`, and a cell of an output that no kernel writes stays NaN.
    """

    def __init__(self) -> None:
        self.buffers: list[tuple[Tensor, int]] = []

    def hold(self, tensor: Tensor) -> Tensor:
        """A copy of the tensor, strides kept, between margins."""
        held = self.blank(tensor.shape, tensor.stride(), tensor.dtype)
        return held.copy_(tensor)

    def blank(self, shape: Any, stride: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        span = 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True)) if 0 not in shape else 0
        flat = torch.full((span + 2 * MARGIN,), float("nan"), dtype=dtype)
        self.buffers.append((flat, span))
        return flat.as_strided(tuple(shape), stride, MARGIN)

    def check(self) -> None:
        for flat, span in self.buffers:
            assert flat[:MARGIN].isnan().all(), "written before the start of a tensor"
            assert flat[MARGIN + span :].isnan().all(), "written beyond the end of a tensor"


@pytest.fixture
def arena(monkeypatch: pytest.MonkeyPatch) -> Iterator[Arena]:
    """What the launchers allocate comes from the arena, which is checked at the end."""
    made = Arena()
    empty_like, new_empty = torch.empty_like, Tensor.new_empty

    def guarded(blank: Tensor) -> Tensor:
        if blank.device.type != "cpu" or not blank.is_floating_point():
            return blank
        return made.blank(blank.shape, blank.stride(), blank.dtype)

    def from_torch(allocate: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *arguments, **options: guarded(allocate(*arguments, **options))

    monkeypatch.setattr(torch, "empty_like", from_torch(empty_like))
    monkeypatch.setattr(Tensor, "new_empty", from_torch(new_empty))
    yield made
    made.check()
