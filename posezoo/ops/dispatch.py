"""Which path an operation takes, Triton or plain torch, decided in one place.

`POSEZOO_BACKEND` (auto, torch or triton) sets it for the process, `backend(...)` for a block.
auto takes Triton for CUDA tensors where Triton is installed, and plain torch for all others.
triton raises where Triton cannot run. Under TRITON_INTERPRET=1 it also takes CPU tensors, through
Triton's interpreter: slow, for tests.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor

Backend = Literal["auto", "torch", "triton"]

HAS_TRITON = importlib.util.find_spec("triton") is not None
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


class BackendUnavailable(ValueError):
    """Triton was asked for where it cannot run."""


@contextmanager
def backend(name: Backend) -> Iterator[None]:
    """Use this path inside the block.

    Compiled functions keep the path that they were traced with.

    Raises:
        BackendUnavailable: `triton` was asked for and cannot run here.
        ValueError: the name is none of auto, torch, triton.
    """
    global _choice  # noqa: PLW0603 - one setting for the process, restored on leaving the block
    before, _choice = _choice, _checked(name, "backend")
    try:
        yield
    finally:
        _choice = before


def backend_in_use() -> Literal["triton", "torch"]:
    """The path that operations take here: for CUDA tensors if there is CUDA, else for CPU tensors.

    Raises:
        BackendUnavailable: POSEZOO_BACKEND asks for Triton and it cannot run here.
    """
    if _current() == "triton":
        return "triton"
    auto = _choice == "auto" and HAS_TRITON and torch.cuda.is_available()
    return "triton" if auto else "torch"


def use_triton(tensor: Tensor) -> bool:
    """True if an operation on this tensor takes the Triton path."""
    choice = _current()
    if choice == "torch" or not HAS_TRITON or tensor.dtype == torch.float64:
        return False
    if tensor.device.type == "cuda":  # a fake CUDA tensor too: tracing must see what will run
        return True
    return INTERPRETED and choice == "triton" and is_concrete(tensor)


def is_concrete(tensor: Tensor) -> bool:
    """True for a real CPU tensor, whose memory Python may read; False while tracing."""
    return tensor.device.type == "cpu" and type(tensor) in (Tensor, torch.nn.Parameter)


def define(name: str) -> Callable[[Callable[..., Any]], Any]:
    """Make a function the operator `posezoo::name`, traceable through its body.

    The body chooses its path by `use_triton`. Under `torch.compile` it is opened, so that Inductor
    fuses the torch path and inlines the Triton kernels; `torch.export` keeps the operator.
    """
    if HAS_TRITON:
        return torch.library.triton_op(f"posezoo::{name}", mutates_args=())

    def without_triton(function: Callable[..., Any]) -> Any:
        operator = torch.library.custom_op(f"posezoo::{name}", function, mutates_args=())
        operator.register_fake(function)
        return operator

    return without_triton


def per_axis(
    value: float | Sequence[float],
    axes: int,
    name: str,
) -> list[float]:
    """One number for each axis.

    Raises:
        ValueError: there are not as many numbers as axes.
    """
    values = [float(v) for v in value] if isinstance(value, Sequence) else [float(value)] * axes
    if len(values) != axes:
        raise ValueError(f"{name}: expected a number or {axes} of them (x first), got {value!r}")
    return values


def _checked(name: str, source: str) -> Backend:
    if name not in get_args(Backend):
        raise ValueError(f"{source}: expected one of auto, torch, triton, got {name!r}")
    if name == "triton" and (why := _why_not_triton()):
        raise BackendUnavailable(f"{source}: triton cannot run here: {why}; use auto or torch")
    return name  # type: ignore[return-value]


def _current() -> Backend:
    global _choice  # noqa: PLW0603 - the environment is checked at first use, not at import
    if _choice is None:
        _choice = _checked(os.environ.get("POSEZOO_BACKEND", "auto"), "POSEZOO_BACKEND")
    return _choice


def _why_not_triton() -> str | None:
    if not HAS_TRITON:
        return "the package triton is not installed (pip install 'posezoo[kernels]', Linux only)"
    if not (INTERPRETED or torch.cuda.is_available()):
        return "there is no CUDA device (TRITON_INTERPRET=1 runs the kernels slowly on the CPU)"
    return None


_choice: Backend | None = None
