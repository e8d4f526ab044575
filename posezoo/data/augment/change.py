"""How a change is declared: numbers whose types say their limits, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform, get_type_hints

from posezoo.limits import limits

C = TypeVar("C")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def change(cls: type[C]) -> type[C]:
    """Make a frozen dataclass of numbers, which refuses those outside their limits."""
    checked: Any = cls
    checked.__post_init__ = _check_limits
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


def _check_limits(made: Any) -> None:
    wrong = [
        f"{name} is {value}, expected {limit}"
        for name, annotation in get_type_hints(type(made), include_extras=True).items()
        for limit in limits(annotation)
        if not limit.holds(value := getattr(made, name))
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
