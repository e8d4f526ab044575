"""Reading a pickle without running it: plain values, lists, dicts and NumPy arrays, nothing else.

Python's own reader calls whatever function a pickle names. Here the instructions are taken apart
by `pickletools` (which only lists them) and carried out one by one on nodes of this file; the few
names that NumPy writes for an array stand for code of this file, and any other name ends the
reading. Nothing of the pickle reaches a C function that trusts it: arrays are made of bytes whose
number was compared with their shape, and values are built from the finished nodes within limits of
depth and number, so that a small file cannot take the stack, the memory or the afternoon.
"""

from __future__ import annotations

import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np

from posezoo.data.convert.pickle_nodes import Array, Items, Kind, Mapping, PlainPickleError, build

_MOST_AXES = 32
_SHARED = 10  # values may be met this often per byte of the file: one list may stand in many places
_FEW = 10_000  # ... and a small file may have so many anyway
_GREATEST_CHARACTER = 0x10FFFF

_DTYPE = re.compile(r"[<>=|]?[?bBiufSUO]\d{0,6}")
_MARK = object()
_VALUES = {  # instructions whose argument is the value
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def load_plain(
    stream: IO[bytes],
    size: int,  # bytes that there are to read, so that no length in the pickle is believed
) -> Any:
    """The value of a pickle, whatever its protocol.

    Raises:
        PlainPickleError: it is cut, or would build something that is not a plain value.
    """
    machine = _Machine()
    try:
        for instruction, argument, _ in pickletools.genops(cast(IO[bytes], _Bounded(stream, size))):
            if instruction.name == "STOP":
                return build(machine.stack[-1], most=_SHARED * size + _FEW)
            machine.step(instruction.name, argument)
    except PlainPickleError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError) as error:
        raise PlainPickleError(f"a cut or damaged pickle ({error})") from error
    raise PlainPickleError("a cut pickle (it has no end)")


@dataclass(slots=True)
class _Bounded:
    """A stream that is never asked for more than there is: reading allocates what it is asked."""

    stream: IO[bytes]
    left: int

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise PlainPickleError(f"a cut or damaged pickle (it says {count} bytes follow)")
        data = self.stream.read(count)
        self.left -= len(data)
        return data

    def readline(self) -> bytes:
        data = self.stream.readline(self.left)
        self.left -= len(data)
        return data


class _Machine:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:  # noqa: PLR0912 (one branch an instruction)
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            place = len(stack) - _TUPLES[name]
            stack[place:] = [Items(stack[place:], is_tuple=True)]
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append(Items([], is_tuple=False) if name == "EMPTY_LIST" else Mapping())
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("TUPLE", "LIST"):
            items = self._since_mark()
            stack.append(Items(items, is_tuple=name == "TUPLE"))
        elif name == "DICT":
            items = self._since_mark()
            stack.append(_mapping(items))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self._since_mark()
            if not isinstance(stack[-1], Items) or stack[-1].is_tuple:
                raise PlainPickleError("a damaged pickle (it appends to what is no list)")
            stack[-1].items += items
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else self._since_mark()
            if not isinstance(stack[-1], Mapping):
                raise PlainPickleError("a damaged pickle (it sets items of what is no dict)")
            stack[-1].update(items[::2], items[1::2])
        elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "GLOBAL":
            stack.append(_named(*argument.split(" ", 1)))
        elif name == "STACK_GLOBAL":
            function, module = stack.pop(), stack.pop()
            stack.append(_named(module, function))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            if function not in _ALLOWED.values() or not isinstance(arguments, Items):
                raise PlainPickleError("a pickle that calls what is no part of an array")
            stack.append(function(*arguments.items))
        elif name == "BUILD":
            state = stack.pop()
            _complete(stack[-1], state)
        elif name == "POP":
            stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise PlainPickleError(f"a pickle of more than plain values (it uses {name})")

    def _since_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise PlainPickleError("a damaged pickle (a mark is missing)")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items


def _mapping(items: list[Any]) -> Mapping:
    mapping = Mapping()
    mapping.update(items[::2], items[1::2])
    return mapping


def _named(module: Any, name: Any) -> Callable[..., Any]:
    if not isinstance(module, str) or not isinstance(name, str):
        raise PlainPickleError("a damaged pickle (a name that is no text)")
    path = f"{module.replace('numpy._core', 'numpy.core')}.{name}"
    if path not in _ALLOWED:
        raise PlainPickleError(
            f"a pickle that names {module:.60}.{name:.60}; only plain values and NumPy arrays "
            "are read"
        )
    return _ALLOWED[path]


def _empty_array(*_: Any) -> Array:
    return Array()


def _kind(spec: Any, *_: Any) -> Kind:
    if not isinstance(spec, str) or not _DTYPE.fullmatch(spec):
        raise PlainPickleError("an array of no plain kind")
    return Kind(np.dtype(spec))


def _scalar(kind: Any, data: Any) -> Any:
    return _filled(kind, (1,), data, in_columns=False)[0]


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> Array:
    sides = _sides(shape)
    return Array(sides, plain=_filled(kind, sides, data, in_columns=order == "F"))


def _bytes(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "ascii"):
        raise PlainPickleError("a damaged pickle (bytes that are no text)")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    return b""


def _ordered(pairs: Any = None) -> Mapping:
    items = [] if pairs is None else [each.items for each in pairs.items]
    return _mapping([each for key, value in items for each in (key, value)])


def _array_type() -> None:
    """Stands for the name numpy.ndarray, which is only handed to `_empty_array`."""
    raise PlainPickleError("a pickle that calls numpy.ndarray")


def _complete(thing: Any, state: Any) -> None:
    """Carry out BUILD: the second half of a dtype or of an array, once each."""
    parts = state.items if isinstance(state, Items) else []
    if isinstance(thing, Kind) and len(parts) >= 4 and parts[1] in ("<", ">", "|", "="):
        if parts[2] is not None or parts[3] is not None:
            raise PlainPickleError("an array of records")
        thing.dtype = thing.dtype.newbyteorder(parts[1])
    elif isinstance(thing, Array) and thing.plain is thing.boxed is None and len(parts) == 5:
        _, shape, kind, in_columns, data = parts
        thing.shape, thing.in_columns = _sides(shape), bool(in_columns)
        if isinstance(kind, Kind) and kind.dtype.hasobject:
            if not isinstance(data, Items) or len(data.items) != math.prod(thing.shape):
                raise PlainPickleError("a damaged pickle (an array of more or fewer objects)")
            thing.boxed = data.items
        else:
            thing.plain = _filled(kind, thing.shape, data, in_columns=thing.in_columns)
    else:
        raise PlainPickleError("a pickle that changes what is no array")


def _sides(shape: Any) -> tuple[int, ...]:
    sides = shape.items if isinstance(shape, Items) else []
    if len(sides) > _MOST_AXES or not all(type(side) is int and side >= 0 for side in sides):
        raise PlainPickleError("a damaged pickle (an array's shape)")
    return tuple(sides)


def _filled(kind: Any, shape: tuple[int, ...], data: Any, *, in_columns: bool) -> np.ndarray:
    """An array of its own bytes, if they are as many as it must have and mean something."""
    raw = data.encode("latin-1") if isinstance(data, str) else data
    if not isinstance(kind, Kind) or kind.dtype.hasobject or not isinstance(raw, bytes | bytearray):
        raise PlainPickleError("a damaged pickle (an array's kind or content)")
    wanted = math.prod(shape) * kind.dtype.itemsize
    if len(raw) != wanted:
        raise PlainPickleError(f"a damaged pickle (an array of {len(raw)} bytes, not {wanted})")
    flat = (
        np.frombuffer(bytes(raw), kind.dtype) if wanted else np.empty(math.prod(shape), kind.dtype)
    )
    if kind.dtype.kind == "b":
        flat = flat.view(np.uint8) != 0
    elif kind.dtype.kind == "U" and wanted:
        letters = flat.view(np.dtype(np.uint32).newbyteorder(kind.dtype.byteorder))
        if letters.max() > _GREATEST_CHARACTER:
            raise PlainPickleError("a damaged pickle (text that is none)")
    return flat.reshape(shape, order="F" if in_columns else "C")


_ALLOWED: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": _empty_array,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "numpy.ndarray": _array_type,
    "numpy.dtype": _kind,
    "_codecs.encode": _bytes,
    "__builtin__.bytes": _no_bytes,  # how protocols 0 to 2 write an empty one
    "collections.OrderedDict": _ordered,
}
