"""From what a training program saved to the bare state dict: wrappers off, prefixes off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# Names under which programs keep the weights, the likeliest first.
_WRAPPERS = (
    "model_pos",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "network",
    "net",
    "module",
    "weights",
    "params",
    "best_state_dict",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
)
# What wrapping a network in another module puts before every name.
_PREFIXES = ("module.", "model.", "_orig_mod.", "network.", "net.", "model_pos.", "ema.")
_DEEPEST = 4  # a wrapper in a wrapper in a wrapper


@dataclass(frozen=True)
class Unwrapped:
    """The state dict with bare names, and what was taken off to get there."""

    state: dict[str, Tensor]
    wrapper: str  # "state_dict", "" for none
    prefix: str  # "module.", "" for none
    beside: tuple[str, ...]  # what else the file holds: epoch, optimizer, ...

    def __str__(self) -> str:
        under = f" under '{self.wrapper}'" if self.wrapper else ""
        prefix = f", prefix '{self.prefix}' dropped" if self.prefix else ""
        beside = f"; left alone: {', '.join(self.beside)}" if self.beside else ""
        return f"{len(self.state)} tensors{under}{prefix}{beside}"


def unwrap(value: Any, *, origin: str) -> Unwrapped:
    """Find the state dict.

    Raises:
        ValueError: there is none, or there are several; `origin` names the file in the message.
    """
    path: list[str] = []
    beside: tuple[str, ...] = ()
    for _ in range(_DEEPEST):
        if isinstance(value, nn.Module):
            value = value.state_dict()
        if _is_state(value):
            state, prefix = _strip(dict(value))
            _check(state, origin)
            return Unwrapped(state, ".".join(path), prefix, beside)
        if not isinstance(value, Mapping):
            raise ValueError(f"{origin}: holds a {type(value).__name__}, expected a state dict")
        name = _wrapped(value, origin)
        beside += tuple(str(key) for key in value if key != name)
        path.append(name)
        value = value[name]
    raise ValueError(f"{origin}: no state dict within {_DEEPEST} levels ({'.'.join(path)})")


def _is_state(value: Any) -> bool:
    """Whether it is a mapping of names to tensors, and to nothing else that matters."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        return False
    tensors = sum(isinstance(item, Tensor) for item in value.values())
    return tensors > 0 and not any(isinstance(item, Mapping | nn.Module) for item in value.values())


def _wrapped(value: Mapping[Any, Any], origin: str) -> str:
    """The key below which the weights are."""
    known = [name for name in _WRAPPERS if _holds_weights(value.get(name))]
    if known:
        return known[0]
    others = [str(key) for key in value if isinstance(key, str) and _holds_weights(value[key])]
    if len(others) == 1:
        return others[0]
    keys = ", ".join(str(key) for key in list(value)[:8]) or "nothing"
    if others:
        raise ValueError(
            f"{origin}: holds several state dicts ({', '.join(others[:8])}); save the one that "
            "is meant by itself"
        )
    raise ValueError(f"{origin}: holds no weights, only {keys}")


def _holds_weights(value: Any, depth: int = 1) -> bool:
    if isinstance(value, nn.Module) or _is_state(value):
        return True
    inside: Iterator[Any] = iter(value.values()) if isinstance(value, Mapping) else iter(())
    # An optimizer's state is numbered, a network's is named.
    named = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    return named and depth > 0 and any(_holds_weights(item, depth - 1) for item in inside)


def _strip(state: dict[str, Any]) -> tuple[dict[str, Tensor], str]:
    tensors = {name: item for name, item in state.items() if isinstance(item, Tensor)}
    stripped = ""
    while prefix := next((p for p in _PREFIXES if all(n.startswith(p) for n in tensors)), None):
        tensors = {name.removeprefix(prefix): item for name, item in tensors.items()}
        stripped += prefix
    return tensors, stripped


def _check(state: Mapping[str, Tensor], origin: str) -> None:
    """Refuse what cannot be copied as numbers."""
    for name, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise ValueError(
                f"{origin}: '{name}' is quantised, sparse or without numbers; export the float "
                "network"
            )
        # A view that repeats one number can claim any size.
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError(f"{origin}: '{name}' claims {tuple(tensor.shape)}, more than is there")
