"""Kernels run in memory that notices: what they must not touch is not a number, and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from triton.runtime.interpreter import InterpreterBuilder

MARGIN = 1024  # elements on either side


class Arena:
    """Tensors in the middle of buffers whose margins must stay NaN.

    A kernel that reads beyond an input gets NaN, and the interpreter fails even if it makes nothing
    of it; one that writes beyond an output is found by `check`, and a cell of an output that no
    kernel writes stays NaN.
    """

    def __init__(self) -> None:
        self.buffers: list[tuple[Tensor, int]] = []

    def hold(self, tensor: Tensor) -> Tensor:
        """A copy of the tensor, strides kept, between margins."""
        held = self.blank(tensor.shape, tensor.stride(), tensor.dtype)
        return held.copy_(tensor)

    def blank(self, shape: Any, stride: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        span = (
            1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
            if 0 not in shape
            else 0
        )
        flat = torch.full((span + 2 * MARGIN,), float("nan"), dtype=dtype)
        self.buffers.append((flat, span))
        return flat.as_strided(tuple(shape), stride, MARGIN)

    def may_read(self, addresses: np.ndarray) -> None:
        for flat, span in self.buffers:
            start, size = flat.data_ptr(), flat.element_size()
            near = (addresses >= start) & (addresses < start + flat.numel() * size)
            cells = (addresses[near].astype(np.int64) - start) // size - MARGIN
            assert ((cells >= 0) & (cells < span)).all(), "read from beyond a tensor"

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
    if not torch.cuda.is_available():
        load = InterpreterBuilder.create_masked_load

        def checked_load(self: Any, pointers: Any, mask: Any, *rest: Any) -> Any:
            made.may_read(pointers.data[mask.data])
            return load(self, pointers, mask, *rest)

        monkeypatch.setattr(InterpreterBuilder, "create_masked_load", checked_load)
    yield made
    made.check()
