"""Changes to files, for `fuzz_files`: of their bytes, and of what the bytes mean.

Bytes: cut, flip, insert, repeat, swap, numbers put to extremes. JSON and TOML: values swapped for
others of any type, dropped, nested, renamed, repeated. Zip archives (.npz), safetensors and HDF5
are opened, changed inside, and closed again with sound checksums, so that the reader behind them is
reached.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tomli_w

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 17, 255, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e-320,
    1e38, 1e300, -1e300, float("nan"), float("inf"), "", "0", "a", "1e400", "nan", "../../x",
    "/etc/hostname", "\x1b[2J\x00\r\n", "\u202e\ud800", "é" * 300, "a" * 100_000, [], {}, [[]],
    [None], [0] * 1000, {"": {}}, {"a": 1}, [[[[[[1]]]]]],
)  # fmt: skip
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
Change = Callable[[bytes, random.Random], bytes]


def change_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to four changes that know nothing of the format."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not found:
            return bytes(rng.randbytes(rng.randint(0, 20)))
        place = rng.randrange(len(found))
        kind = rng.randrange(9)
        if kind == 0:
            del found[place:]
        elif kind == 1:
            found[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            found[place] = rng.randrange(256)
        elif kind == 3:
            found[place:place] = rng.randbytes(rng.choice((1, 4, 100)))
        elif kind == 4:
            del found[place : place + rng.choice((1, 4, 64, 1000))]
        elif kind == 5:
            piece = found[place : place + rng.choice((1, 8, 200))]
            found[place:place] = piece * rng.choice((1, 3, 50))
        elif kind == 6:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(_EDGES) & (256**width - 1)
            found[place : place + width] = number.to_bytes(width, rng.choice(("little", "big")))
        elif kind == 7:
            other = rng.randrange(len(found))
            span = rng.choice((1, 8, 64))
            a, b = bytes(found[place : place + span]), bytes(found[other : other + span])
            found[place : place + len(a)], found[other : other + len(b)] = b, a
        else:
            found[place:place] = rng.choice(
                (b"\x1b[2J", b"\x00" * 9, b"9" * 400, b"\xff\xfe", b"[[" * 3000)
            )
    return bytes(found)


def change_tree(tree: Any, rng: random.Random) -> Any:
    """One to three values put in place of others."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        tree = _changed(tree, rng)
    return tree


def _changed(tree: Any, rng: random.Random) -> Any:
    """A copy with one place changed, the nearer to the root the less often."""
    if isinstance(tree, dict) and tree and rng.random() < 0.85:
        key, kind = rng.choice([*tree]), rng.randrange(12)
        found = dict(tree)
        if kind == 0:
            del found[key]
        elif kind == 1:
            found[rng.choice(("", "x", "\x1b", "a" * 3000))] = rng.choice(ODD)
        elif kind == 2:
            found[f"{key}x"] = found.pop(key)
        else:
            found[key] = _changed(tree[key], rng)
        return found
    if isinstance(tree, list) and tree and rng.random() < 0.9:
        place, kind = rng.randrange(len(tree)), rng.randrange(14)
        items = list(tree)
        if kind == 0:
            del items[place]
        elif kind == 1:
            items.insert(place, items[place])
        elif kind == 2:
            items[place] = rng.choice(ODD)
        elif kind == 3:
            items = items[:place]
        else:
            items[place] = _changed(items[place], rng)
        return items
    if isinstance(tree, (int, float)) and not isinstance(tree, bool) and rng.random() < 0.4:
        return rng.choice((-tree, tree * 1000, tree + 1, tree / 3, str(tree), [tree]))
    return rng.choice(ODD)


def change_json(data: bytes, rng: random.Random) -> bytes:
    """Of a JSON document, or of one line of many."""
    if rng.random() < 0.3:
        return change_bytes(data, rng)
    lines = data.decode().splitlines()
    try:
        tree = json.loads(data)
        lines, place = [""], 0
    except json.JSONDecodeError:
        place = rng.randrange(len(lines))
        tree = json.loads(lines[place])
    text = json.dumps(change_tree(tree, rng), ensure_ascii=rng.random() < 0.9)
    if rng.random() < 0.05:
        text = text.replace("1", rng.choice(("1e400", "9" * 30, "-Infinity", "NaN")), 1)
    lines[place] = text
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def change_toml(data: bytes, rng: random.Random) -> bytes:
    """Of a TOML document."""
    import tomllib  # noqa: PLC0415

    if rng.random() < 0.4:
        return change_bytes(data, rng)
    tree = change_tree(tomllib.loads(data.decode()), rng)
    try:
        return tomli_w.dumps(tree).encode("utf-8", "surrogatepass")
    except (TypeError, AttributeError, ValueError, RecursionError):  # TOML has no such value
        return change_bytes(data, rng)


def change_text(data: bytes, rng: random.Random) -> bytes:
    """Of lines of words."""
    if rng.random() < 0.5:
        return change_bytes(data, rng)
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 3))):
        place = rng.randrange(len(lines))
        words = lines[place].replace(b",", b" , ").split(b" ")
        word = rng.randrange(len(words))
        kind = rng.randrange(6)
        if kind == 0:
            odd = rng.choice(ODD)
            words[word] = str(odd).encode("utf-8", "surrogatepass")[:5000]
        elif kind == 1:
            del words[word]
        elif kind == 2:
            words.insert(word, words[word])
        elif kind == 3:
            lines.insert(place, lines[rng.randrange(len(lines))])
        elif kind == 4:
            words = []
        else:
            words[word] = rng.choice((b"nan", b"inf", b"1e400", b"-1", b"99999999", b"x", b"}"))
        lines[place] = b" ".join(words).replace(b" , ", b",")
    return b"\n".join(lines)


def change_npz(data: bytes, rng: random.Random) -> bytes:
    """Of a zip archive of arrays: its members, their headers and contents."""
    if rng.random() < 0.35:
        return change_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name, kind = rng.choice([*members]), rng.randrange(6)
    if kind == 0:
        members[name[:-4] + "x.npy"] = members.pop(name)
    elif kind == 1:
        members[name] = _npy_header(members[name], rng)
    elif kind == 2:
        members[name] = _array(rng)
    elif kind == 3:
        other = rng.choice([*members])
        members[name] = members[other]
    else:
        members[name] = change_bytes(members[name], rng)
    packed = io.BytesIO()
    with zipfile.ZipFile(
        packed, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    return packed.getvalue()


def _npy_header(member: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(member[8:10], "little")
    dtype = rng.choice(
        "<f8 <f4 >f8 <i8 |O <U9 |S4 |b1 <c16 <M8[s] |V8 <U999999999 <f2 x [('a','<f4')]".split()
    )
    sides = [
        rng.choice((0, 1, 2, 5, 17, -1, 10**7, 2**40, 2**63)) for _ in range(rng.randint(0, 5))
    ]
    listed = f"({', '.join(map(str, sides))}{',' * bool(sides)})"
    shape, turned = rng.choice((listed, "(5, 17, 2)", "None")), rng.random() < 0.3
    text = f"{{'descr': '{dtype}', 'fortran_order': {turned}, 'shape': {shape}, }}\n".encode()
    return member[:8] + len(text).to_bytes(2, "little") + text + member[10 + length :]


def _array(rng: random.Random) -> bytes:
    file = io.BytesIO()
    shape = tuple(rng.choice((0, 1, 2, 5, 17, 24)) for _ in range(rng.randint(0, 4)))
    if rng.random() < 0.1:
        np.save(file, np.zeros(30_000_000, np.uint8))  # packs to nothing
        return file.getvalue()
    kind = rng.choice(("f8", "f4", "i8", "U5", "S3", "b1", "c16", "M8[s]"))
    with np.errstate(all="ignore"):
        values = np.zeros(shape) if rng.random() < 0.3 else np.full(shape, rng.choice((1.0, 1e30)))
        if rng.random() < 0.3 and values.size:
            values.flat[0] = rng.choice((np.nan, np.inf))
        np.save(file, values.astype(kind) if kind[0] != "M" else values.astype("i8").astype(kind))
    return file.getvalue()


def change_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Of the header's JSON, with its length put right again; or of bytes."""
    if rng.random() < 0.3:
        return change_bytes(data, rng)
    (length,) = struct.unpack("<Q", data[:8])
    tree = json.loads(data[8 : 8 + length])
    kind = rng.randrange(4)
    if kind == 0:
        name = rng.choice([key for key in tree if key != "__metadata__"])
        other = rng.choice(
            ("F16", "BF16", "I64", "I32", "U8", "BOOL", "F64", "F8_E4M3", "F8_E8M0", "F4", "X")
        )
        tree[name] = {**tree[name], "dtype": other}
    elif kind == 1:
        names = [key for key in tree if key != "__metadata__"]
        one, two = rng.choice(names), rng.choice(names)
        tree[one], tree[two] = tree[two], tree[one]
    elif kind == 2 and "__metadata__" in tree:
        tree["__metadata__"] = change_tree(tree["__metadata__"], rng)
    else:
        tree = change_tree(tree, rng)
    header = json.dumps(tree).encode()
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def change_hdf5(data: bytes, rng: random.Random) -> bytes:
    """Of a dataset, a group or an attribute; or of bytes, which HDF5 itself then meets."""
    if rng.random() < 0.5:
        return change_bytes(data, rng)
    memory = io.BytesIO(data)
    with h5py.File(memory, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        place = rng.choice(["/", *names])
        if rng.random() < 0.3:
            holder = file[place]
            attributes = [*holder.attrs] or ["units"]
            _attribute(holder, rng.choice(attributes), rng)
        elif place != "/":
            del file[place]
            _put(file, place, rng)
    return memory.getvalue()


def _attribute(holder: Any, name: str, rng: random.Random) -> None:
    odd = rng.choice(("", "mm", "x\x1b[2J", "a" * 60_000, 3, -1.5, np.nan, 10**18, np.zeros((3, 3)),
                      np.array([b"a", b"bb"]), h5py.Empty("f"), np.array([1 + 2j])))  # fmt: skip
    if rng.random() < 0.15 and name in holder.attrs:
        del holder.attrs[name]
    elif isinstance(odd, str):
        holder.attrs.create(name, odd, dtype=h5py.string_dtype())
    else:
        holder.attrs[name] = odd


def _put(file: h5py.File, place: str, rng: random.Random) -> None:
    kind = rng.randrange(9)
    if kind == 0:
        file.create_group(place)
    elif kind == 1:
        file[place] = h5py.SoftLink(rng.choice(("/", "/nowhere", place)))
    elif kind == 2:
        file[place] = h5py.ExternalLink("/etc/hostname", "/x")
    elif kind == 3:
        file.create_dataset(place, (10**7, 17, 3), "f4", chunks=(1000, 17, 3), compression="gzip")
    elif kind == 4:
        file.create_dataset(place, (5,), "u1", external=[("/etc/hostname", 0, 5)])
    elif kind == 5:
        file.create_dataset(place, data=["a", "b"], dtype=h5py.string_dtype())
    elif kind == 6:
        file.create_dataset(place, data=np.zeros(3, [("a", "f4"), ("b", "i4")]))
    else:
        shape = tuple(rng.choice((0, 1, 3, 5, 17, 96)) for _ in range(rng.randint(0, 4)))
        kinds = rng.choice(("f4", "f8", "i8", "i4", "u1", "S5", "c8", "f2"))
        file[place] = np.full(shape, rng.choice((0, 1, 7))).astype(kinds)


def _inside(ending: str, data: bytes, rng: random.Random) -> bytes:
    from benchmarks import fuzz_mutate_parts  # noqa: PLC0415 - it imports this file

    change: Change = getattr(fuzz_mutate_parts, f"change_{ending}")
    return change(data, rng)


CHANGES: dict[str, Change] = {
    ".json": change_json,
    ".journal": change_json,
    ".onnx": lambda data, rng: _inside("onnx", data, rng),
    ".png": lambda data, rng: _inside("png", data, rng),
    ".jsonl": change_json,
    ".toml": change_toml,
    ".npz": change_npz,
    ".safetensors": change_safetensors,
    ".h5": change_hdf5,
    ".csv": change_text,
    ".txt": change_text,
    ".bvh": change_text,
    ".asf": change_text,
    ".amc": change_text,
    ".calibration": change_text,
    "": change_text,  # METADATA of a package
}


def changed(path: Path, data: bytes, rng: random.Random) -> bytes:
    """The content of a file, changed as its ending tells."""
    ending = ".h5" if path.name == "annot_data.mat" else path.suffix
    return CHANGES.get(ending, change_bytes)(data, rng)
