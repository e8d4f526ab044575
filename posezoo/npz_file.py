"""Plain arrays of an .npz that anybody may have written: no pickles, no more than a file may hold.

A zip archive declares the size of each member, and a member declares its shape: both are compared
with the file's own size before any memory is taken.
"""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from posezoo.hints import shown

LARGE = 1 << 28  # bytes from which packing is looked at
MOST_PACKED = 100
WIDEST = 8  # bytes of a number: of wider ones only a few processors know
# What numpy and zipfile raise on a file that is not what it says.
_BROKEN = (
    OSError, EOFError, ValueError, TypeError, SyntaxError, LookupError, ArithmeticError,
    RuntimeError, MemoryError, struct.error, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """The arrays of these names; without any, all that the file holds.

    Raises:
        ValueError: no file, no .npz, an array is missing, is of objects, or declares more than
            the file can hold; one line that names the file.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} {'is no .npz file' if path.is_file() else 'is not there'}")
    try:
        with zipfile.ZipFile(path) as archive:
            found = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if lacking := [name for name in names if name not in found]:
                raise ValueError(f"{path} has no array '{lacking[0]}'")
            wanted = [found[name] for name in names or found]
            check_declared(path, archive, wanted)
            return {name.removesuffix(".npy"): _array(path, archive, name) for name in wanted}
    except _BROKEN as error:
        if str(path) in str(error):
            raise
        why = shown(error, 120) or type(error).__name__
        raise ValueError(f"{path}: not a whole .npz of arrays ({why})") from error


def check_declared(path: Path, archive: zipfile.ZipFile, members: Iterable[str]) -> None:
    """Compare what the members are said to unpack to with the file's size.

    Raises:
        ValueError: it is more than such a file may hold.
    """
    declared = sum(archive.getinfo(name).file_size for name in members)
    if declared > max(LARGE, MOST_PACKED * path.stat().st_size):
        raise ValueError(
            f"{path}: its arrays declare {declared:,} bytes; no poses pack so well. If they "
            "are real, save them by np.savez, uncompressed"
        )


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether its columns come first, and kind of the array that begins there."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(stream)


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    called = shown(name.removesuffix(".npy"))
    with archive.open(name) as stream:
        shape, in_columns, dtype = read_header(stream)
        if dtype.hasobject:
            raise ValueError(f"{path}: '{called}' cannot be read: it is an object array, a pickle")
        if dtype.kind == "f" and dtype.itemsize > WIDEST:
            raise ValueError(f"{path}: '{called}' is of {dtype}, expected 64 bits at most")
        declared = math.prod(shape) * dtype.itemsize
        held = archive.getinfo(name).file_size - stream.tell()
        if declared != held:
            raise ValueError(f"{path}: '{called}' says {declared} bytes and has {held}")
        flat = np.frombuffer(bytearray(stream.read()), dtype) if declared else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if in_columns else "C")
