"""Writes the few fields of a TensorFlow Lite file that are read, for tests."""

import struct

import numpy as np


class Table:
    """Fields by number: whole numbers, arrays, tables or lists of tables."""

    def __init__(self, **fields):
        self.fields = {int(name[1:]): value for name, value in fields.items()}


def write(root):
    """The file whose root is this table."""
    out = bytearray(b"\0\0\0\0TFL3")
    struct.pack_into("<I", out, 0, _put(out, root))
    return bytes(out)


def _put(out, node):
    if isinstance(node, list):
        start = len(out)
        out += struct.pack("<I", len(node)) + bytes(4 * len(node))
        _link(out, {start + 4 + 4 * i: child for i, child in enumerate(node)})
        return start
    if isinstance(node, np.ndarray):
        start = len(out)
        out += struct.pack("<I", len(node)) + node.tobytes()
        return start
    count = max(node.fields, default=-1) + 1
    vtable, start = len(out), len(out) + 4 + 2 * count
    offsets = [4 + 4 * i if i in node.fields else 0 for i in range(count)]
    out += struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * count, *offsets)
    out += struct.pack("<i", start - vtable) + bytes(4 * count)
    children = {}
    for field, value in node.fields.items():
        place = start + 4 + 4 * field
        if isinstance(value, int):
            struct.pack_into("<i", out, place, value)
        else:
            children[place] = value
    _link(out, children)
    return start


def _link(out, children):
    for place, child in children.items():
        struct.pack_into("<I", out, place, _put(out, child) - place)


def ints(*values):
    return np.array(values, np.int32)


def convolution(code, weight, bias, *, sparse=None):
    """A file with one convolution of float16 weights, behind DEQUANTIZE, or DENSIFY before it."""
    half = [value.astype(np.float16).ravel().view(np.uint8) for value in (weight, bias)]
    if sparse is not None:
        half[0] = weight[weight != 0].astype(np.float16).view(np.uint8)
    shape = ints(*weight.shape)
    stored = Table(_0=shape, _1=1, _2=1, **({} if sparse is None else {"_6": sparse}))
    tensors = [
        Table(_0=ints(1)),  # the picture
        stored,
        Table(_0=ints(*bias.shape), _1=1, _2=2),
        *(Table(_0=ints(1)) for _ in range(4)),
    ]
    operators = [
        Table(_0=1, _1=ints(1), _2=ints(3)),  # 1 -> 3, dense
        Table(_0=2, _1=ints(3), _2=ints(4)),  # 3 -> 4, float32
        Table(_0=2, _1=ints(2), _2=ints(5)),
        Table(_0=0, _1=ints(0, 4, 5), _2=ints(6)),
    ]
    if sparse is None:
        operators = [Table(_0=2, _1=ints(1), _2=ints(4)), *operators[2:]]
    codes = [Table(_0=min(c, 127), _3=c) for c in (code, 124, 6)]
    buffers = [Table(), *(Table(_0=value) for value in half)]
    graph = Table(_0=tensors, _3=operators)
    return write(Table(_0=3, _1=codes, _2=[graph], _4=buffers))
