"""Fields of a JSON file that anybody may have written: each is checked as it is taken out.

Every error names the place in the file, what stands there and what was expected.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from posezoo import hints
from posezoo.data.text_file import read_json

Floats: TypeAlias = NDArray[np.float64]
T = TypeVar("T")

LARGEST = 1e7  # px or mm: 10 km; what is larger is no joint of a person
_SHOWN = 40  # characters of a wrong value


def load_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: no text, no JSON, nested without end, or a number that JSON does not have.
    """
    try:
        return read_json(path)
    except ValueError as error:
        raise ValueError(f"{error}; expected a whole JSON file") from None


def field(
    holder: Any,
    key: str,
    kind: type[T],
    where: str,  # what to call the holder in an error
    default: T | None = None,
) -> T:
    """The value under a key, of the one kind that is expected there; a whole number is a float.

    Raises:
        ValueError: the holder has no keys, or lacks this one, or holds something else there.
    """
    if not isinstance(holder, Mapping):
        raise ValueError(f"{where}: {shown(holder)}, expected an object with {key!r}")
    if key not in holder:
        if default is not None:
            return default
        keys = ", ".join(map(repr, list(holder)[:8])) or "nothing"
        raise ValueError(f"{where}: no {key!r}, only {keys}")
    value = holder[key]
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return kind(numbers(value, (), f"{where}: {key}"))  # type: ignore[call-arg] # kind is float
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where}: {key} is {shown(value)}, expected {_KINDS[kind]}")
    return value


def numbers(
    value: Any,
    shape: Sequence[int | None],  # None: any length
    where: str,
    *,
    missing: bool = False,  # null is allowed, and becomes NaN
    largest: float = LARGEST,
) -> Floats:
    """Nested lists as an array of finite numbers.

    Raises:
        ValueError: another shape, something that is no number, or one that is too large.
    """
    found = np.array(value, dtype=object)
    if found.ndim != len(shape) or any(
        wanted not in {None, length} for wanted, length in zip(shape, found.shape, strict=True)
    ):
        wanted = " x ".join("n" if length is None else str(length) for length in shape)
        raise ValueError(
            f"{where}: {_shape(found) if found.ndim else shown(value)}, expected "
            f"{wanted or 'a number'}{' numbers' if shape else ''}"
        )
    allowed = (int, float, type(None)) if missing else (int, float)
    for each in found.flat:
        if not isinstance(each, allowed) or isinstance(each, bool):
            raise ValueError(f"{where}: {shown(each)} among the numbers, expected numbers only")
        if each is not None and not abs(each) <= largest:
            raise ValueError(f"{where}: {shown(each)}, expected numbers up to {largest:g}")
    return np.array([np.nan if each is None else float(each) for each in found.flat]).reshape(
        found.shape
    )


def shown(value: Any) -> str:
    """A value as an error message has room for it."""
    if isinstance(value, Mapping):
        return f"an object of {len(value)} keys"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a huge number"  # of thousands of digits, perhaps
    if isinstance(value, str):
        return f'"{hints.shown(value, _SHOWN)}"'
    return hints.shown(json.dumps(value), _SHOWN)


_KINDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def _shape(found: NDArray[Any]) -> str:
    ragged = found.size and isinstance(found.flat[0], (list, tuple))
    lengths = " x ".join(map(str, found.shape))
    return f"{lengths} lists of uneven length" if ragged else f"{lengths} values"
