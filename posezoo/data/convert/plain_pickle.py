"""Reading a pickle without running it: plain values, lists, dicts and NumPy arrays, nothing else.

Python's own reader calls whatever function a pickle names. Here the instructions are taken apart
by `pickletools` (which only lists them) and carried out one by one; the few names that NumPy writes
for an array stand for code of this file, and any other name ends the reading.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

_DTYPE = re.compile(r"[<>=|]?[?bBiufSUO]\d{0,6}")
_MARK = object()
_VALUES = {  # instructions whose argument is the value
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_FRESH: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class PlainPickleError(ValueError):
    """The pickle is cut, or holds more than plain values and arrays."""


@dataclass(slots=True)
class _Kind:
    """A dtype on its way: its byte order comes after it has been named."""

    dtype: np.dtype[Any]


def load_plain(stream: IO[bytes]) -> Any:
    """The value of a pickle, whatever its protocol.

    Raises:
        PlainPickleError: it is cut, or would build something that is not a plain value.
    """
    machine = _Machine()
    try:
        for instruction, argument, _ in pickletools.genops(stream):
            if instruction.name == "STOP":
                return machine.stack[-1]
            machine.step(instruction.name, argument)
    except PlainPickleError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise PlainPickleError(f"a cut or damaged pickle ({error})") from error
    raise PlainPickleError("a cut pickle (it has no end)")


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
        elif name in _FRESH:
            stack.append(_FRESH[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("TUPLE", "LIST"):
            items = self._since_mark()
            stack.append(tuple(items) if name == "TUPLE" else items)
        elif name == "DICT":
            items = self._since_mark()
            stack.append(dict(zip(items[::2], items[1::2], strict=True)))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self._since_mark()
            stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            if name == "SETITEM":
                value, key = stack.pop(), stack.pop()
                items = [key, value]
            else:
                items = self._since_mark()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
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
            if function not in _ALLOWED.values():
                raise PlainPickleError(f"a pickle that calls {function!r}")
            stack.append(function(*arguments))
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
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items


def _named(module: str, name: str) -> Callable[..., Any]:
    path = f"{module.replace('numpy._core', 'numpy.core')}.{name}"
    if path not in _ALLOWED:
        raise PlainPickleError(
            f"a pickle that names {module}.{name}; only plain values and NumPy arrays are read"
        )
    return _ALLOWED[path]


def _empty_array(*_: Any) -> np.ndarray:
    return np.empty(0, np.int8)


def _kind(spec: str, *_: Any) -> _Kind:
    if not _DTYPE.fullmatch(spec):
        raise PlainPickleError(f"an array of kind {spec!r}")
    return _Kind(np.dtype(spec))


def _scalar(kind: _Kind, data: bytes | str) -> Any:
    return np.frombuffer(_raw(data), kind.dtype, 1)[0]


def _from_buffer(data: bytes | bytearray, kind: _Kind, shape: tuple[int, ...], order: str) -> Any:
    if kind.dtype.hasobject:
        raise PlainPickleError("an array of pointers")
    return np.frombuffer(data, kind.dtype).reshape(shape, order="F" if order == "F" else "C")


def _bytes(text: str, encoding: str) -> bytes:
    return text.encode("latin-1" if encoding in ("latin1", "latin-1") else "ascii")


def _no_bytes() -> bytes:
    return b""


def _dict(*pairs: Any) -> dict[Any, Any]:
    return dict(*pairs)


def _complete(thing: Any, state: tuple[Any, ...]) -> None:
    if isinstance(thing, _Kind):
        if state[2] is not None or state[3] is not None:
            raise PlainPickleError("an array of records")
        thing.dtype = thing.dtype.newbyteorder(state[1])
    elif isinstance(thing, np.ndarray) and thing.shape == (0,):
        version, shape, kind, in_columns, data = state
        whole = list(data) if kind.dtype.hasobject else _raw(data)
        thing.__setstate__((version, shape, kind.dtype, in_columns, whole))
    else:
        raise PlainPickleError(f"a pickle that changes a {type(thing).__name__}")


def _raw(data: bytes | str) -> bytes:
    return data.encode("latin-1") if isinstance(data, str) else bytes(data)


def _array_type() -> None:
    """Stands for the name numpy.ndarray, which is only handed to `_empty_array`."""


_ALLOWED: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": _empty_array,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "numpy.ndarray": _array_type,
    "numpy.dtype": _kind,
    "_codecs.encode": _bytes,
    "__builtin__.bytes": _no_bytes,  # how protocols 0 to 2 write an empty one
    "collections.OrderedDict": _dict,
}
