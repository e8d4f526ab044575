"""Reads the convolutions of a TensorFlow Lite file: their weights, in the order of the operators.

The file is a FlatBuffer: tables that find their fields by a table of offsets, so that no library is
needed for the few fields that matter here. Nothing in it is executed. Understood are float32 and
float16 weights, behind DEQUANTIZE, and sparse ones behind DENSIFY (compressed rows, last axis).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CONV, _DEPTHWISE, _DEQUANTIZE, _DENSIFY = 3, 4, 6, 124  # BuiltinOperator of the file format
_TYPES: dict[int, Any] = {0: np.float32, 1: np.float16}  # TensorType
_INDEX_TYPES: dict[int, Any] = {1: np.int32, 2: np.uint16, 3: np.uint8}  # SparseIndexVector


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """One convolution, as PyTorch lays it out."""

    weight: NDArray[np.float32]  # (out, in, kh, kw); depthwise: (C, 1, kh, kw)
    bias: NDArray[np.float32]  # (out,)


def read_convolutions(data: bytes) -> list[Convolution]:
    """Every convolution of the first graph, in the order in which they are computed.

    Raises:
        ValueError: not such a file, damaged, or weights stored in a way that is not understood.
    """
    if data[4:8] != b"TFL3":
        raise ValueError(f"not a TensorFlow Lite file: it begins with {data[:8]!r}")
    try:
        return [*_Graph(data).convolutions()]
    except (struct.error, IndexError) as error:
        raise ValueError(f"a damaged TensorFlow Lite file: {error}") from error


class _Graph:
    """The first graph of the file: its tensors, and which operator makes which."""

    def __init__(self, data: bytes) -> None:
        model = _Table(data, struct.unpack_from("<I", data)[0])
        # The code is in the fourth field where it is above 127, in the first in older files.
        self.codes = [max(c.number(0, "<b"), c.number(3, "<i")) for c in model.tables(1)]
        graph = next(model.tables(2))
        self.buffers = [*model.tables(4)]
        self.tensors = [*graph.tables(0)]
        self.operators = [*graph.tables(3)]
        self.makers = {o.array(2, np.int32)[0]: o for o in self.operators}

    def convolutions(self) -> Iterator[Convolution]:
        for operator in self.operators:
            code = self.code(operator)
            if code not in (_CONV, _DEPTHWISE):
                continue
            _, weight, bias = operator.array(1, np.int32)
            order = (0, 3, 1, 2) if code == _CONV else (3, 0, 1, 2)
            yield Convolution(
                weight=np.ascontiguousarray(self.values(weight).transpose(order)),
                bias=self.values(bias),
            )

    def code(self, operator: _Table) -> int:
        return self.codes[operator.number(0, "<I")]

    def values(self, place: int) -> NDArray[np.float32]:
        """A constant, through what unpacks it."""
        tensor, maker = self.tensors[place], self.makers.get(place)
        if maker is not None:
            if self.code(maker) not in (_DEQUANTIZE, _DENSIFY):
                raise ValueError("weights that are computed, not stored")
            return self.values(maker.array(1, np.int32)[0])
        kind = tensor.number(1, "<b")
        if kind not in _TYPES:
            raise ValueError(f"weights of type {kind}, expected float32 (0) or float16 (1)")
        stored = self.buffers[tensor.number(2, "<I")].array(0, np.uint8).tobytes()
        flat = np.frombuffer(stored, _TYPES[kind]).astype(np.float32)
        shape = tensor.array(0, np.int32)
        sparsity = tensor.table(6)
        dense = flat if sparsity is None else _densified(flat, shape, sparsity)
        if dense.size != np.prod(shape):
            raise ValueError(f"{dense.size} weights, expected {'x'.join(map(str, shape))}")
        return dense.reshape(shape)


def _densified(
    values: NDArray[np.float32],  # what is not 0, row by row
    shape: NDArray[np.int32],
    sparsity: _Table,
) -> NDArray[np.float32]:  # (rows, columns): the last axis is the columns
    """Compressed rows to a full array."""
    axes = [*sparsity.tables(2)]
    formats = [axis.number(0, "<b") for axis in axes]
    plain = sparsity.array(0, np.int32).tolist() == [*range(len(shape))]
    if not plain or len(sparsity.array(1, np.int32)) or formats != [0] * (len(shape) - 1) + [1]:
        raise ValueError(f"sparse weights of formats {formats}, expected rows along the last axis")
    starts, columns = _indices(axes[-1], 2), _indices(axes[-1], 4)
    counts = np.diff(starts)
    dense = np.zeros((len(counts), shape[-1]), np.float32)
    dense[np.repeat(np.arange(len(counts)), counts), columns] = values
    return dense


def _indices(axis: _Table, field: int) -> NDArray[np.int64]:
    kind, held = axis.number(field, "<B"), axis.table(field + 1)
    if kind not in _INDEX_TYPES or held is None:
        raise ValueError(f"sparse weights with indices of type {kind}, expected 1, 2 or 3")
    return held.array(0, _INDEX_TYPES[kind]).astype(np.int64)


class _Table:
    """One FlatBuffer table; a field that is not there reads as 0, empty or None."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.start = data, start
        self.fields = start - struct.unpack_from("<i", data, start)[0]
        self.size: int = struct.unpack_from("<H", data, self.fields)[0]

    def place(self, field: int) -> int | None:
        slot = 4 + 2 * field
        if slot >= self.size:
            return None
        offset: int = struct.unpack_from("<H", self.data, self.fields + slot)[0]
        return self.start + offset if offset else None

    def number(self, field: int, form: str) -> int:
        place = self.place(field)
        return 0 if place is None else int(struct.unpack_from(form, self.data, place)[0])

    def table(self, field: int) -> _Table | None:
        place = self.place(field)
        return None if place is None else _Table(self.data, self._target(place))

    def array(self, field: int, kind: Any) -> NDArray[Any]:
        place = self.place(field)
        if place is None:
            return np.empty(0, kind)
        start = self._target(place)
        count = struct.unpack_from("<I", self.data, start)[0]
        if start + 4 + count * np.dtype(kind).itemsize > len(self.data):
            raise IndexError(f"an array of {count} at byte {start} of {len(self.data)}")
        return np.frombuffer(self.data, kind, count, start + 4)

    def tables(self, field: int) -> Iterator[_Table]:
        place = self.place(field)
        if place is not None:
            start = self._target(place)
            for index in range(struct.unpack_from("<I", self.data, start)[0]):
                yield _Table(self.data, self._target(start + 4 + 4 * index))

    def _target(self, place: int) -> int:
        return place + int(struct.unpack_from("<I", self.data, place)[0])
