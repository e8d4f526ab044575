"""Which path an operation takes, Triton or plain torch, decided in one place.

`POSEZOO_BACKEND` (auto, torch or triton) sets it for the process, `backend(...)` for a block.
auto takes Triton for CUDA tensors where Triton is installed, and plain torch for all others.
triton raises where Triton cannot run. Under TRITON_INTERPRET=1 it also takes CPU tensors, through
Triton's interpreter: slow, for tests.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils._python_dispatch import any_torch_dispatch_mode_on_stack  # as torch documents it

Backend = Literal["auto", "torch", "triton"]

HAS_TRITON = importlib.util.find_spec("triton") is not None
_REAL = (Tensor, torch.nn.Parameter)  # and not a subclass, by which torch traces
OPERATORS: dict[str, Operator] = {}  # by name
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


@contextmanager
def opened() -> Iterator[None]:
    """Inside the block tracing sees what operations are made of, for runtimes without posezoo.

    Only without a gradient.
    """
    global _opened  # noqa: PLW0603 - one setting for the process, restored on leaving the block
    before, _opened = _opened, True
    try:
        with torch.no_grad():
            yield
    finally:
        _opened = before


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
    return tensor.device.type == "cpu" and type(tensor) in _REAL


class Operator:
    """A function and the operator `posezoo::name` that torch knows it by.

    A call that nobody watches runs the function itself, with its gradient: passing the dispatcher
    costs 0.1 ms, as much as many of these operations take on small maps. While tracing,
    transforming or counting it is the operator that is called. A function called by itself has a
    context with `alone`: nobody else sees what it saved, so that backward may write into it.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        OPERATORS[name] = self
        self.function = function
        self.setup: Callable[..., None] | None = None
        self.backward: Callable[..., Any] | None = None
        self.operator: Any
        if HAS_TRITON:
            self.operator = torch.library.triton_op(f"posezoo::{name}", function, mutates_args=())
        else:
            self.operator = torch.library.custom_op(f"posezoo::{name}", function, mutates_args=())
            self.operator.register_fake(function)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run it on the path in use."""
        if not (_opened or _unwatched(inputs)):
            return self.operator(*inputs, **options)
        if self.backward is not None and any(_wants_gradient(each) for each in inputs):
            return _WithGradient.apply(self, options, *inputs)
        return self.function(*inputs, **options)

    def register_autograd(
        self, backward: Callable[..., Any], *, setup_context: Callable[..., None]
    ) -> None:
        """Give it a gradient, as `torch.library.CustomOpDef.register_autograd` does."""
        self.setup, self.backward = setup_context, backward
        self.operator.register_autograd(backward, setup_context=setup_context)


class _WithGradient(torch.autograd.Function):
    """The function of an operator with the gradient that the operator has."""

    @staticmethod
    def forward(ctx: Any, operator: Operator, options: dict[str, Any], *inputs: Any) -> Any:
        output = operator.function(*inputs, **options)
        assert operator.setup is not None
        operator.setup(ctx, inputs, options, output)
        ctx.operator, ctx.alone = operator, True
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        return None, None, *ctx.operator.backward(ctx, *grads)


def define(name: str) -> Callable[[Callable[..., Any]], Operator]:
    """Make a function the operator `posezoo::name`, traceable through its body.

    The body chooses its path by `use_triton`. Under `torch.compile` it is opened, so that Inductor
    fuses the torch path and inlines the Triton kernels; `torch.export` keeps the operator.
    """
    return functools.partial(Operator, name)


def _wants_gradient(given: Any) -> bool:
    return isinstance(given, Tensor) and given.requires_grad and torch.is_grad_enabled()


def _unwatched(inputs: Sequence[Any]) -> bool:
    """True if all tensors are real ones and only autograd looks at what is done with them."""
    return (
        not torch.compiler.is_compiling()
        and all(_is_real(each) for each in inputs if isinstance(each, Tensor))
        and not any_torch_dispatch_mode_on_stack()
        and not torch.jit.is_tracing()
    )


def _is_real(tensor: Tensor) -> bool:
    """False for subclasses, and for what vmap, grad and the like of torch.func put in its place."""
    if type(tensor) not in _REAL:
        return False
    try:
        tensor.data_ptr()
    except RuntimeError:  # a wrapper has no memory of its own
        return False
    return True


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
_opened = False
