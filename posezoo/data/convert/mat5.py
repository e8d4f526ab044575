"""Files of MATLAB 5 to 7 as plain values: structs, cells, text and numbers, nothing else.

The libraries for it trust lengths that the file declares, and crash on a damaged one. Here every
length is compared with the bytes that there are, and what is packed is unpacked up to a limit.
Layout: MathWorks, "MAT-File Format", versions 5 to 7. Sparse arrays, objects and functions are
refused; complex numbers lose their imaginary part.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_HEADER = 128  # bytes before the first element
_MATRIX, _COMPRESSED = 14, 15  # kinds of elements
_CELL, _STRUCT, _CHAR, _NUMBERS = 1, 2, 4, range(6, 16)  # classes of arrays
_DEEPEST = 32
_NUMERIC = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_WIDE = (4, 17, 18)  # kinds of text of more than a byte a letter
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}


def read_mat5(
    path: Path,
    name: str,
    *,
    most: int,  # bytes that a variable may unpack to
) -> Any:
    """The variable of that name.

    A struct array is a list of dicts, a cell array a list, text a str, one number a float, other
    numbers an array (n,), all in MATLAB's order: the first index runs fastest.

    Raises:
        ValueError: it is no such file, is damaged, or has no such variable.
    """
    data = path.read_bytes()
    if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
        raise ValueError("not a file of MATLAB 5")
    order = "<" if data[126:128] == b"IM" else ">"
    at = _HEADER
    while at < len(data):
        whole = _Reader(memoryview(data), order)
        kind, start, stop, at = whole.element(at, len(data), padded=False)
        if kind == _COMPRESSED:
            whole = _Reader(memoryview(_unpacked(data[start:stop], most)), order)
            kind, start, stop, _ = whole.element(0, len(whole.data))
        if kind == _MATRIX and whole.name(start, stop) == name:
            return whole.matrix(start, stop, _DEEPEST)
    raise ValueError(f"has no variable {name}")


@dataclass(frozen=True, slots=True)
class _Reader:
    data: memoryview
    order: str  # "<" or ">"

    def element(
        self, at: int, end: int, *, padded: bool = True
    ) -> tuple[int, int, int, int]:  # its kind, where it starts and stops, where the next is
        """The element there, within the bytes up to `end`."""
        if at + 8 > end:
            raise ValueError("is cut")
        kind, length = struct.unpack_from(f"{self.order}II", self.data, at)
        if kind >> 16:  # small: in the tag itself
            kind, length, start, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
            if length > 4:
                raise ValueError("is damaged: a length")
            return kind, start, start + length, after
        start = at + 8
        stop = start + length
        if stop > end:
            raise ValueError("is cut")
        return kind, start, stop, min(end, stop + (-length % 8 if padded else 0))

    def numbers(self, at: int, end: int) -> tuple[np.ndarray, int]:
        """An element of numbers, and where the next is."""
        kind, start, stop, after = self.element(at, end)
        if kind not in _NUMERIC:
            raise ValueError("is damaged: numbers of no kind")
        dtype = np.dtype(f"{self.order}{_NUMERIC[kind]}")
        if (stop - start) % dtype.itemsize:
            raise ValueError("is damaged: a length")
        return np.frombuffer(self.data[start:stop], dtype), after

    def head(self, at: int, end: int) -> tuple[int, int, str, int]:
        """Class, number of values and name of a matrix, and where its content is."""
        flags, at = self.numbers(at, end)
        sides, at = self.numbers(at, end)
        _, start, stop, at = self.element(at, end)
        if len(flags) != 2 or len(sides) < 2 or sides.dtype.kind != "i" or (sides < 0).any():
            raise ValueError("is damaged: the head of an array")
        name = bytes(self.data[start:stop]).decode("latin-1")
        return int(flags[0]) & 0xFF, math.prod(sides.tolist()), name, at

    def name(self, start: int, stop: int) -> str:
        """Of the variable; "" of an empty one."""
        return self.head(start, stop)[2] if stop > start else ""

    def matrix(self, start: int, stop: int, depth: int) -> Any:
        """The value."""
        if stop == start:
            return np.zeros(0)
        if not depth:
            raise ValueError("is nested too deeply")
        kind, count, _, at = self.head(start, stop)
        if kind == _CELL:
            return self.values(at, stop, count, depth)
        if kind == _STRUCT:
            return self.structs(at, stop, count, depth)
        if kind == _CHAR:
            form, first, last, _ = self.element(at, stop)
            if form not in _TEXT:
                raise ValueError("is damaged: text of no kind")
            wide = {"<": "-le", ">": "-be"}[self.order] if form in _WIDE else ""
            return bytes(self.data[first:last]).decode(_TEXT[form] + wide)
        if kind not in _NUMBERS:
            raise ValueError("holds an object, a function or a sparse array")
        values, _ = self.numbers(at, stop)
        if len(values) != count:
            raise ValueError("is damaged: an array of another length than it says")
        return float(values[0]) if count == 1 else values.astype(np.float64)

    def values(self, at: int, end: int, count: int, depth: int) -> list[Any]:
        """So many matrices."""
        if 8 * count > end - at:
            raise ValueError("is damaged: more values than bytes")
        found = []
        for _ in range(count):
            kind, start, stop, at = self.element(at, end)
            if kind != _MATRIX:
                raise ValueError("is damaged: a value that is none")
            found.append(self.matrix(start, stop, depth - 1))
        return found

    def structs(self, at: int, end: int, count: int, depth: int) -> list[dict[str, Any]]:
        """So many structs with the same fields."""
        length, at = self.numbers(at, end)
        _, start, stop, at = self.element(at, end)
        if len(length) != 1 or not 0 < length[0] <= stop - start + 1:
            raise ValueError("is damaged: the names of fields")
        wide = int(length[0])
        text = bytes(self.data[start:stop])
        fields = [
            text[place : place + wide].split(b"\0")[0].decode("latin-1")
            for place in range(0, len(text), wide)
        ]
        values = self.values(at, end, count * len(fields), depth)
        return [
            dict(zip(fields, values[n : n + len(fields)], strict=True))
            for n in range(0, len(values), len(fields) or 1)
        ]


def _unpacked(data: bytes, most: int) -> bytes:
    try:
        found = zlib.decompressobj().decompress(data, most + 1)
    except zlib.error as error:
        raise ValueError(f"is damaged ({error})") from error
    if len(found) > most:
        raise ValueError(f"unpacks to over {most >> 20} MB")
    return found
