"""Values of parameters: from the text of a spec to the annotated type, and back to text.

Known types: int, float, bool, str, Path, None, Literal, tuples of numbers (written `4x2`), and
unions of these; any of them with limits, `Annotated[int, Range(1, 8)]` (posezoo.limits).
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from posezoo.limits import limits

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")  # as many digits as fit 64 bits
_NAMES = {
    int: "int",
    float: "float",
    bool: "true | false",
    str: "text",
    Path: "path",
    types.NoneType: "none",
}


def convert(annotation: Any, value: Any) -> Any:
    """The value in the annotated type. Text is read; anything else is checked.

    A value whose annotation is none of the known types is handed through as it is: the program
    gives those (a skeleton, a backbone's features), never the user's text.

    Raises:
        ValueError: the value does not fit; the message says what was expected.
    """
    if not is_known(annotation):
        if isinstance(value, str):
            raise ValueError(f"{value!r} cannot be written as text: it takes {annotation!r}")
        return value
    for kind in _members(annotation):
        try:
            return _convert(kind, value)
        except ValueError:
            continue
    shown = value if isinstance(value, str) else repr(value)
    raise ValueError(f"expected {describe(annotation)}, got {shown!r}")


def to_text(value: object) -> str:
    """The value as a user would type it; `convert` reads it back."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "x".join(to_text(item) for item in value)
    return str(value)


def describe(annotation: Any) -> str:
    """The type in words for a person who types a value."""
    return " | ".join(_describe(kind) for kind in _members(annotation))


def choices(annotation: Any) -> list[str] | None:
    """The words to choose from, where the type is a choice."""
    words = [o for kind in _members(annotation) for o in _options(kind)]
    return words or None


def is_known(annotation: Any) -> bool:
    """Whether a user can write a value of this type as text."""
    return all(
        kind in _NAMES
        or get_origin(kind) is Literal
        or (get_origin(kind) is tuple and {_bare(item) for item in _items(kind)} <= {int, float})
        for kind in map(_bare, _members(annotation))
    )


def _describe(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return ", ".join([_describe(_bare(annotation)), *map(str, limits(annotation))])
    if get_origin(annotation) is Literal:
        return " | ".join(_options(annotation))
    if get_origin(annotation) is tuple:
        names = [_describe(kind) for kind in _items(annotation)]
        if _is_open(annotation):
            name, comma, limit = names[0].partition(", ")
            return f"{name}s as 4x2" + (f", each {limit}" if comma else "")
        return (" x " if any("," in name for name in names) else "x").join(names)
    return _NAMES.get(annotation) or str(annotation)


def _convert(kind: Any, value: Any) -> Any:
    """One member of a union, or a plain type; ValueError if the value does not fit."""
    if get_origin(kind) is Annotated:
        converted = _convert(_bare(kind), value)
        _require(all(limit.holds(converted) for limit in limits(kind)))
        return converted
    reader = _READERS.get(get_origin(kind) or kind)
    assert reader is not None  # is_known was asked first
    return reader(kind, value)


def _choice(kind: Any, value: Any) -> Any:
    for option in get_args(kind):
        if value == (to_text(option) if isinstance(value, str) else option):
            return option
    raise ValueError


def _tuple(kind: Any, value: Any) -> tuple[Any, ...]:
    parts = value.split("x") if isinstance(value, str) else value
    _require(isinstance(parts, tuple | list))
    items = _items(kind) * (len(parts) if _is_open(kind) else 1)
    _require(len(items) == len(parts))
    return tuple(_convert(item, part) for item, part in zip(items, parts, strict=True))


def _none(kind: Any, value: Any) -> None:
    _require(value is None or value == "none")


def _bool(kind: Any, value: Any) -> bool:
    _require(isinstance(value, bool) or value in ("true", "false"))
    return value is True or value == "true"


def _int(kind: Any, value: Any) -> int:
    _require(_WHOLE.fullmatch(value) if isinstance(value, str) else type(value) is int)
    return int(value)


def _float(kind: Any, value: Any) -> float:
    _require(isinstance(value, int | float | str) and not isinstance(value, bool))
    _require(not math.isnan(float(value)))
    return float(value)


def _str(kind: Any, value: Any) -> str:
    _require(isinstance(value, str))
    return str(value)


def _path(kind: Any, value: Any) -> Path:
    _require(isinstance(value, str | Path))
    return Path(value)


_READERS: dict[Any, Callable[[Any, Any], Any]] = {
    Literal: _choice,
    tuple: _tuple,
    types.NoneType: _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Path: _path,
}


def _require(fits: object) -> None:
    if not fits:
        raise ValueError


def _members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(_bare(annotation)) not in (Union, types.UnionType):
        return (annotation,)
    own = limits(annotation)  # around a union, those of each of its members that is a number
    return tuple(
        Annotated[kind, *own] if own and _bare(kind) in (int, float) else kind
        for kind in get_args(_bare(annotation))
    )


def _bare(annotation: Any) -> Any:
    """The type without its limits."""
    return annotation.__origin__ if get_origin(annotation) is Annotated else annotation


def _items(annotation: Any) -> tuple[Any, ...]:
    return tuple(kind for kind in get_args(annotation) if kind is not Ellipsis)


def _is_open(annotation: Any) -> bool:
    """Whether a tuple's type leaves its length open."""
    return Ellipsis in get_args(annotation)


def _options(annotation: Any) -> list[str]:
    return [to_text(o) for o in get_args(annotation)] if get_origin(annotation) is Literal else []
