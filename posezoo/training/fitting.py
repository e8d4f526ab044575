"""Weights into a model: first whether they fit, then the model and the memory that it takes.

What a file says it is may ask for any size of model. So the model is built without memory first
(torch's "meta" device), with no more numbers than the file has, and compared by name and shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from posezoo.assembly import build_pipeline
from posezoo.hints import shown
from posezoo.pipeline import Pipeline
from posezoo.registry import PipelineSpec, SpecError
from posezoo.skeleton import Skeleton

_FLOATS = {torch.float64, torch.float32, torch.float16, torch.bfloat16}  # are each other's weights
_DROPPED = 5_000_000  # numbers; ImageNet's classifier on 2048 channels has 2 million
_DRAWING = ("normal_", "uniform_", "kaiming_uniform_")  # of tensors, and of torch.nn.init
_SHOWN = 5  # of tensors that are wrong


def rebuild(
    spec: PipelineSpec, skeleton: Skeleton, weights: Mapping[str, Tensor], *, origin: str
) -> Pipeline:
    """The pipeline of a spec with these weights, in no more memory than they call for.

    Raises:
        ValueError: names, shapes or kinds differ, or a value is not finite.
    """
    held = sum(each.numel() for each in weights.values())
    # A part may make layers and drop them again (a classifier, for features): so some more may be
    # made without memory, and what is left at the end is compared.
    most = 2 * held + _DROPPED
    built = 0

    def count(_: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        nonlocal built
        built += 0 if parameter is None else parameter.numel()
        if built > most:
            raise ValueError(
                f"{origin}: weights do not fit: '{shown(spec)}' has more than the {held:,} numbers "
                f"in the file, by '{name}'"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"), _Undrawn():
            require_fit(
                build_pipeline(spec, skeleton=skeleton).state_dict(), weights, origin=origin
            )
    except SpecError as error:  # beyond the limits of a parameter
        raise ValueError(f"{origin}: {shown(error, 500)}") from error
    except RuntimeError as error:  # NotImplementedError is one
        if "meta" not in str(error).lower():  # else a plugin looks at numbers while it is made
            raise ValueError(f"{origin}: '{shown(spec)}': {shown(error, 120)}") from error
    finally:
        hook.remove()
    pipeline = build_pipeline(spec, skeleton=skeleton)
    load_weights(pipeline, weights, origin=origin)
    return pipeline


class _Undrawn(TorchFunctionMode):
    """Draws no first weights: without memory there are none, and torch takes 1.6 s to find out."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _DRAWING:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def load_weights(module: torch.nn.Module, weights: Mapping[str, Tensor], *, origin: str) -> None:
    """Copy tensors into a module of exactly those names and shapes.

    Raises:
        ValueError: names, shapes or kinds differ, or a value is not finite; nothing is copied then.
    """
    require_fit(module.state_dict(), weights, origin=origin)
    module.load_state_dict(weights)


def require_fit(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], *, origin: str) -> None:
    """Refuse weights of other names, shapes or kinds than a module's own, and no numbers.

    Raises:
        ValueError: with everything that does not fit.
    """
    missing, extra = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    problems = [f"{len(missing)} missing, the first '{missing[0]}'"] if missing else []
    problems += [f"{len(extra)} not in the model, the first '{shown(extra[0])}'"] if extra else []
    wrong = [
        flaw
        for name in sorted(own.keys() & weights.keys())
        if (flaw := _flaw(name, own[name], weights[name]))
    ]
    problems += [*wrong[:_SHOWN], *([f"and {len(wrong) - _SHOWN} more"] if wrong[_SHOWN:] else [])]
    if problems:
        raise ValueError(f"{origin}: weights do not fit: {'; '.join(problems)}")


def _flaw(name: str, own: Tensor, found: Tensor) -> str:
    if found.shape != own.shape:
        return f"'{name}' is {tuple(found.shape)}, the model has {tuple(own.shape)}"
    if found.dtype != own.dtype and not {found.dtype, own.dtype} <= _FLOATS:
        return f"'{name}' is {found.dtype}, the model has {own.dtype}"
    if found.dtype in _FLOATS and not found.isfinite().all():
        return f"'{name}' holds NaN or infinity"
    return ""
