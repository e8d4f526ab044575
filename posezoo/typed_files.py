"""Every JSON and TOML file is decoded here: first to plain values, then to the type it must be.

The syntax is bounded: the file's size, nesting, numbers of 64 bits that are finite, each key once.
The type (a dataclass, a msgspec.Struct, `dict[str, float]`) says the fields, their kinds and their
ranges; msgspec compares. One error, in one line: the file, the place in it, what stands there and
what was expected. What is quoted is escaped and shortened by `posezoo.hints.shown`.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from posezoo.hints import shown

T = TypeVar("T")

MIB = 1 << 20
SMALL = 64 * MIB  # bytes of a file that posezoo writes itself
LARGE = 2048 * MIB  # bytes of a file of data
_MOST_TOML = MIB
# tomllib's time grows with the square of the parts of a dotted key, and a key is one line.
_LONGEST_LINE = 20_000
_MOST_SHOWN = 200
_MOST_TRIED = 1000  # keys of an object, to find the one that is wrong
_LARGEST_INT = 1 << 63
# A number of too many digits or too large an exponent: only then is every number looked at.
_PERHAPS_TOO_LARGE = re.compile(r"\d{19}|[eE]\+?0*\d{3}")

_PERHAPS_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a letter that takes two
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}

Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Name: TypeAlias = Annotated[str, Meta(max_length=200)]
Positive: TypeAlias = Annotated[float, Meta(gt=0)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Constant = Callable[[str], Any]  # what NaN, Infinity or -Infinity stands for


def decode(
    path: Path, kind: type[T], *, expected: str = "", most: int = SMALL, nan: bool = False
) -> T:
    """The content of a .toml, or of any other file as JSON, as a value of that type.

    Args:
        path: the file.
        kind: what msgspec can compare with.
        expected: more words for the error: where the layout is described, or what to do.
        most: bytes of a JSON file.
        nan: NaN and Infinity, which Python writes into JSON, may stand there.

    Raises:
        ValueError: it is something else; one line.
        OSError: it cannot be read.
    """
    try:
        tree = read_tree(path, most=most, constant=float if nan else None)
    except ValueError as error:
        raise ValueError(f"{error}{expected and '; expected '}{expected}") from error
    return typed(tree, kind, where=str(path), expected=expected)


def read_tree(path: Path, *, most: int = LARGE, constant: Constant | None = None) -> Any:
    """The plain values in a .toml, or in any other file as JSON; a byte order mark is skipped.

    `constant` is asked what NaN, Infinity or -Infinity stands for; without it they are refused.

    Raises:
        ValueError: no such syntax, or beyond the bounds; one line that names the file.
        OSError: it cannot be read.
    """
    is_toml = path.suffix.lower() == ".toml"
    text = read_text(path, most=_MOST_TOML if is_toml else most)
    if is_toml:
        return parse_toml(text, where=str(path))
    return parse_json(text, where=str(path), constant=constant)


def read_text(path: Path, *, most: int = LARGE) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Raises:
        ValueError: it is something else, or larger; one line that names the file.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path}: not a file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{path}: larger than {most:,} bytes, which no such file needs")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 at byte {error.start} ({error.reason})") from error


def parse_json(text: str, *, where: str, constant: Constant | None = None) -> Any:
    """The plain values of JSON, bounded.

    Raises:
        ValueError: no JSON, or beyond the bounds.
    """
    checks: dict[str, Any] = {}
    if _PERHAPS_TOO_LARGE.search(text):
        checks = {"parse_float": _float, "parse_int": _int}
    try:
        tree = json.loads(
            text, parse_constant=constant or _refuse, object_pairs_hook=_once, **checks
        )
        if _PERHAPS_HALF.search(text):
            msgspec.json.encode(tree)  # which has to be UTF-8
        return tree
    except UnicodeEncodeError:
        raise ValueError(
            f"{where}: it holds half a letter, a surrogate without its other"
        ) from None
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{where}: cut or damaged, not JSON ({error.msg}, {place})") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def parse_toml(text: str, *, where: str) -> dict[str, Any]:
    """The plain values of TOML, bounded.

    Raises:
        ValueError: no TOML, or beyond the bounds.
    """
    if len(max(text.split("\n"), key=len)) > _LONGEST_LINE:
        raise ValueError(f"{where}: a line of more than {_LONGEST_LINE} characters")
    try:
        tree = tomllib.loads(text, parse_float=_float)
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply") from None
    except ValueError as error:
        raise ValueError(
            f"{where}: cut or damaged, not TOML ({shown(error, _MOST_SHOWN)})"
        ) from error
    if _PERHAPS_TOO_LARGE.search(text):
        _check_ints(tree, where)
    return tree


def typed(tree: Any, kind: type[T], *, where: str, expected: str = "") -> T:
    """Plain values as a value of that type.

    Raises:
        ValueError: the place, what stands there and what was expected.
    """
    try:
        return msgspec.convert(tree, kind)
    except RecursionError:
        raise ValueError(f"{where}: nested too deeply") from None
    except (msgspec.ValidationError, ValueError) as error:  # ValueError: of a constructor
        said, _, path = str(error).partition(" - at ")
        steps = _steps(tree, kind, path.strip("`"))
        flaw = _flaw(said.replace("`", ""), _described(_at(tree, steps)))
        place = f"{_written(steps)} {flaw}".strip()
        raise ValueError(f"{where}: {place}{expected and '; expected '}{expected}") from None


def _flaw(said: str, found: str) -> str:
    """What msgspec says of a place, in this project's words."""
    if match := re.match(r"Object missing required field (.*)", said):
        return f"lacks {shown(match[1])}"
    if match := re.match(r"Object contains unknown field (.*)", said):
        return f"has {shown(match[1])}, which is not known"
    if match := re.match(r"Expected (.*?)(, got .*)?$", said):
        wanted = re.sub(r"\b[a-z]+\b", lambda word: _WORDS.get(word[0], word[0]), match[1])
        return f"is {found}, expected {wanted.replace(' | ', ' or ')}"
    return f"is {found} ({shown(said, _MOST_SHOWN)})"


def _steps(tree: Any, kind: Any, path: str) -> list[str | int]:
    """Keys and places from msgspec's own words, such as "$.a[0][...].b"; [...] is any key."""
    steps: list[str | int] = []
    for name, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", path):
        if index == "...":
            key = _wrong_key(tree, kind, steps)
            if key is None:
                break
            steps.append(key)
        else:
            steps.append(name or int(index))
    return steps


def _wrong_key(tree: Any, kind: Any, steps: list[str | int]) -> str | None:
    """The first key of an object, at that place, with which alone the whole is wrong there."""
    holder = _at(tree, steps)
    if not isinstance(holder, Mapping) or len(holder) > _MOST_TRIED:
        return None
    for key, value in holder.items():
        alone: Any = {key: value}
        for depth in range(len(steps) - 1, -1, -1):
            around = _at(tree, steps[:depth])
            alone = (
                {**around, steps[depth]: alone}
                if isinstance(around, Mapping)
                else [*around[: steps[depth]], alone, *around[steps[depth] + 1 :]]  # type: ignore[operator] # of a list
            )
        try:
            msgspec.convert(alone, kind)
        except (msgspec.ValidationError, ValueError):
            return str(key)
    return None


def _at(tree: Any, steps: list[str | int]) -> Any:
    for step in steps:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def _written(steps: list[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{shown(step)}"
    return text.removeprefix(".")


def _described(value: Any) -> str:
    """A value as an error message has room for it."""
    if isinstance(value, Mapping):
        return f"an object of {len(value)}"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return f"'{shown(value)}'" if isinstance(value, str) else shown(json.dumps(value, default=str))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands twice, nobody knows which value is meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value] # None: not yet
        raise ValueError(f"the key {shown(twice)} stands twice in one object")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"it holds {constant}, which is no number")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse(shown(digits))
    return value


def _int(digits: str) -> int:
    # Python's own limit of digits may be switched off, and it raises in its own words.
    value = int(digits) if len(digits) < sys.int_info.str_digits_check_threshold else _LARGEST_INT
    if not -_LARGEST_INT <= value < _LARGEST_INT:
        raise ValueError(f"it holds {shown(digits, 20)}, which does not fit into 64 bits")
    return value


def _check_ints(tree: Any, where: str) -> None:
    below = [tree]
    while below:
        each = below.pop()
        if isinstance(each, dict):
            below += each.values()
        elif isinstance(each, list):
            below += each
        elif isinstance(each, int) and not -_LARGEST_INT <= each < _LARGEST_INT:
            raise ValueError(f"{where}: a whole number does not fit into 64 bits")
