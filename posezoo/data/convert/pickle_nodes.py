"""What a pickle's instructions build: nodes that are inert, and values of finished nodes.

A node is compared, hashed and printed by identity, whatever it holds, so that nothing that a file
nests can recurse. Values are made of finished nodes within limits of depth and number: a list that
holds one list twice, forty times over, is a small file and 2^40 values to whoever walks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_DEEPEST = 50  # lists in lists; the field's files have 6
_KEY_DEEPEST = 3  # tuples in tuples as a key of a dict


class PlainPickleError(ValueError):
    """The pickle is cut, or holds more than plain values and arrays."""


@dataclass(slots=True, eq=False, repr=False)
class Items:
    """A list or a tuple."""

    items: list[Any]
    is_tuple: bool


@dataclass(slots=True, eq=False, repr=False)
class Mapping:
    """A dict; its keys are judged when they have their values."""

    keys: list[Any] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def update(self, keys: list[Any], values: list[Any]) -> None:
        """Put more items in."""
        if len(keys) != len(values):
            raise PlainPickleError("a damaged pickle (a key without a value)")
        self.keys += keys
        self.values += values


@dataclass(slots=True, eq=False, repr=False)
class Kind:
    """A dtype on its way: its byte order comes after it has been named."""

    dtype: np.dtype[Any]


@dataclass(slots=True, eq=False, repr=False)
class Array:
    """An array on its way: its shape and its content come after it has been named."""

    shape: tuple[int, ...] = ()
    plain: np.ndarray | None = None
    boxed: list[Any] | None = None  # nodes, of an object array
    in_columns: bool = False


_DONE = object()


def build(root: Any, most: int) -> Any:
    """Values from nodes, children first and without recursion.

    Raises:
        PlainPickleError: nodes that hold themselves, lie too deep, or are met too often.
    """
    done: dict[int, tuple[Any, int, int]] = {}  # node -> its value, depth, and count of values
    open_nodes: set[int] = set()
    path: list[tuple[Any, Iterator[Any]]] = []

    def enter(node: Any) -> None:
        if id(node) in open_nodes:
            raise PlainPickleError("a pickle that holds itself")
        if len(path) > _DEEPEST:
            raise PlainPickleError(f"a pickle of more than {_DEEPEST} levels")
        open_nodes.add(id(node))
        path.append((node, iter(_children(node))))

    enter(root)
    while path:
        node, rest = path[-1]
        child = next((each for each in rest if id(each) not in done), _DONE)
        if child is not _DONE:
            enter(child)
            continue
        path.pop()
        open_nodes.discard(id(node))
        below = [done[id(child)] for child in _children(node)]
        depth = 1 + max((deep for _, deep, _ in below), default=0)
        count = 1 + sum(met for _, _, met in below)
        if count > most or depth > _DEEPEST:
            raise PlainPickleError(f"a small pickle of {count} values, {depth} levels deep")
        done[id(node)] = _value(node, [value for value, _, _ in below]), depth, count
    return done[id(root)][0]


def _children(node: Any) -> list[Any]:
    match node:
        case Items():
            return node.items
        case Mapping():
            return node.keys + node.values
        case Array():
            return node.boxed or []
    return []


def _value(node: Any, below: list[Any]) -> Any:
    match node:
        case Items():
            return tuple(below) if node.is_tuple else below
        case Mapping():
            keys, values = below[: len(node.keys)], below[len(node.keys) :]
            for key in keys:
                _check_key(key, _KEY_DEEPEST)
            return dict(zip(keys, values, strict=True))
        case Array(plain=None, boxed=None):
            raise PlainPickleError("a cut pickle (an array without content)")
        case Array(plain=None):
            array = np.empty(len(below), object)
            for place, value in enumerate(below):
                array[place] = value
            return array.reshape(node.shape, order="F" if node.in_columns else "C")
        case Array():
            return node.plain
        case None | bool() | int() | float() | str() | bytes() | bytearray() | np.generic():
            return node
    raise PlainPickleError("a pickle of more than plain values")


def _check_key(key: Any, deepest: int) -> None:
    if isinstance(key, tuple):
        if not deepest:
            raise PlainPickleError("a dict whose keys are tuples of tuples of tuples")
        for part in key:
            _check_key(part, deepest - 1)
    elif not isinstance(key, None | bool | int | float | str | bytes | np.generic):
        raise PlainPickleError("a dict with a list or an array as a key")
