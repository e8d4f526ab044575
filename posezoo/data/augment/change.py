"""How a change is declared: numbers with limits, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

C = TypeVar("C")


def number(*, default: float, low: float, high: float = math.inf) -> Any:
    """A parameter of a change that must lie between `low` and `high`, both included."""
    return field(default=default, metadata={"low": low, "high": high})


def chance(*, default: float = 1.0) -> Any:
    """How many of the items are changed, 0 to 1."""
    return number(default=default, low=0.0, high=1.0)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(number, chance))
def change(cls: type[C]) -> type[C]:
    """Make a frozen dataclass of numbers, which refuses those outside their limits."""
    checked: Any = cls
    checked.__post_init__ = _check_limits
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


def _check_limits(made: Any) -> None:
    wrong = [
        f"{f.name} is {value}, expected {_range(**f.metadata)}"
        for f in fields(made)
        if not f.metadata["low"] <= (value := getattr(made, f.name)) <= f.metadata["high"]
    ]
    if wrong:
        raise ValueError("; ".join(wrong))


def _range(low: float, high: float) -> str:
    return f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
