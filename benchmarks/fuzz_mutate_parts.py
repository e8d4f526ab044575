"""Changes inside files of parts, for `fuzz_mutate`: chunks of PNG, nodes of ONNX."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any

from benchmarks.fuzz_mutate import ODD, change_bytes


def change_png(data: bytes, rng: random.Random) -> bytes:
    """Of a chunk, with its checksum put right again: a size that is not there, for one."""
    if rng.random() < 0.4:
        return change_bytes(data, rng)
    chunks, place = [], 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    number, kind = rng.randrange(len(chunks)), rng.randrange(6)
    name, content = chunks[number]
    if kind == 0:
        del chunks[number]
    elif kind == 1:
        chunks.insert(number, chunks[number])
    elif kind == 2:
        sides = struct.pack(">II", *(rng.choice((0, 1, 40, 60_000, 2**31 - 1)) for _ in range(2)))
        chunks[0] = (chunks[0][0], sides + chunks[0][1][8:])
    elif kind == 3:
        head = bytearray(chunks[0][1])
        head[rng.randrange(8, len(head))] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0] = (chunks[0][0], bytes(head))
    else:
        chunks[number] = (name, change_bytes(content, rng))
    packed = [
        struct.pack(">I", len(inside))
        + kind
        + inside
        + struct.pack(">I", zlib.crc32(kind + inside))
        for kind, inside in chunks
    ]
    return data[:8] + b"".join(packed)


def change_onnx(data: bytes, rng: random.Random) -> bytes:
    """Of what the file says of itself, of a node, a shape or stored numbers; or of bytes."""
    import onnx  # noqa: PLC0415 - an extra

    if rng.random() < 0.4:
        return change_bytes(data, rng)
    model = onnx.load_from_string(data)
    rng.choice((_fact, _fact, _kind, _attribute, _link, _sides, _numbers, _value))(model, rng)
    return bytes(model.SerializeToString())


def _fact(model: Any, rng: random.Random) -> None:
    fact = rng.choice(model.metadata_props)
    if rng.random() < 0.2:
        model.metadata_props.remove(fact)
    else:
        odd = str(rng.choice(ODD)) if rng.random() < 0.7 else fact.value[::-1]
        fact.value = odd.encode("utf-8", "replace").decode()


def _kind(model: Any, rng: random.Random) -> None:
    nodes = model.graph.node
    other = rng.choice(nodes).op_type
    rng.choice(nodes).op_type = rng.choice((other, "Loop", "Expand", "Tile", "ConstantOfShape"))


def _attribute(model: Any, rng: random.Random) -> None:
    attribute = rng.choice([each for node in model.graph.node for each in node.attribute])
    attribute.i = rng.choice((0, -1, 2, 2**31, 2**62))
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice((0, -1, 2**40, 2**62))


def _link(model: Any, rng: random.Random) -> None:
    node = rng.choice([each for each in model.graph.node if each.input])
    node.input[rng.randrange(len(node.input))] = rng.choice(model.graph.node).output[0]


def _sides(model: Any, rng: random.Random) -> None:
    tensor = rng.choice([each for each in model.graph.initializer if each.dims])
    tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice((0, 1, 3, 10**6, 2**40))


def _numbers(model: Any, rng: random.Random) -> None:
    tensor = rng.choice(model.graph.initializer)
    tensor.raw_data = change_bytes(tensor.raw_data or b"1234", rng)


def _value(model: Any, rng: random.Random) -> None:
    """What an input or output is said to be."""
    kind = rng.choice([*model.graph.input, *model.graph.output]).type.tensor_type
    kind.elem_type = rng.choice((1, 2, 7, 8, 10, 11))
    for side in kind.shape.dim[-1:]:
        side.dim_value = rng.choice((1, 3, 17, 10**9))
