"""The arrays of an .npz file: mapped where they lie uncompressed, object arrays without unpickling.

`np.savez` stores plain arrays as they are, so a file of gigabytes is opened at once and read as it
is used, after one pass that compares its checksum. An object array is a pickle: it is read with
trust only, and even then by `plain_pickle`, which runs nothing.
"""

from __future__ import annotations

import math
import sys
import zipfile
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from posezoo.data.convert.plain_pickle import load_plain
from posezoo.data.convert.recipe import understood
from posezoo.hints import shown
from posezoo.npz_file import LARGE, MOST_PACKED, check_declared, read_header

_PIECE = 1 << 20
_LOCAL_HEADER = 30  # bytes before the name in a zip file's header of a member


def open_npz(path: Path, *keys: str, trust: bool) -> dict[str, Any]:
    """The named members: an array, or the value inside a pickled object.

    Raises:
        ValueError: it is no whole .npz file, lacks one of them, or has an object array without
            trust.
    """
    with understood(path, "a whole .npz of arrays"), zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        for key in keys:
            if key not in names:
                raise ValueError(f"lacks {key} (it has {shown(', '.join(names), 200)})")
        check_declared(path, archive, [f"{key}.npy" for key in keys])
        return {key: _member(path, archive, f"{key}.npy", trust=trust) for key in keys}


def npz_keys(path: Path) -> list[str]:
    """What the file holds."""
    with understood(path, "a whole .npz of arrays"), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def open_npy(path: Path, *, trust: bool) -> Any:
    """The value inside the object array of an .npy file.

    Raises:
        OSError, ValueError: it is no whole .npy file, holds plain numbers, or comes without trust.
    """
    with path.open("rb") as stream:
        _, _, dtype = read_header(stream)
        if not dtype.hasobject:
            raise ValueError(f"{path}: holds plain numbers, expected an object array")
        _check_trust(path, "it", trust=trust)
        array = load_plain(stream, path.stat().st_size - stream.tell())
    return array.item() if getattr(array, "shape", None) == () else array


def _member(path: Path, archive: zipfile.ZipFile, name: str, *, trust: bool) -> Any:
    info, called = archive.getinfo(name), shown(name.removesuffix(".npy"))
    with archive.open(info) as stream:
        shape, in_columns, dtype = read_header(stream)
        if dtype.hasobject:
            _check_trust(path, f"'{called}'", trust=trust)
            array = load_plain(stream, info.file_size - stream.tell())
            _read_to_the_end(stream)
            return array.item() if getattr(array, "shape", None) == () else array
        declared = math.prod(shape) * dtype.itemsize
        if declared != info.file_size - stream.tell():
            raise ValueError(
                f"{path}: '{called}' says {declared} bytes and has {info.file_size - stream.tell()}"
            )
        if declared > LARGE and declared > MOST_PACKED * info.compress_size:
            raise ValueError(
                f"{path}: '{called}' is {declared} bytes in {info.compress_size} packed ones; no "
                "poses pack so well. If they are real, save them by np.savez, uncompressed"
            )
        if info.compress_type != zipfile.ZIP_STORED or 0 in shape or not shape:
            data = np.frombuffer(stream.read(), dtype)
            _check_letters(path, called, data)
            return data.reshape(shape, order="F" if in_columns else "C")
        header_bytes = stream.tell()
        _read_to_the_end(stream)
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        header = raw.read(_LOCAL_HEADER)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = info.header_offset + _LOCAL_HEADER + lengths + header_bytes
    order: Literal["F", "C"] = "F" if in_columns else "C"
    mapped = np.memmap(path, dtype, "r", start, shape, order)
    _check_letters(path, called, mapped.reshape(-1, order="A"))
    return mapped


def _check_letters(
    path: Path,
    called: str,
    flat: np.ndarray,  # (N,)
) -> None:
    """Python stops with an error of its own at text of letters that there are none of."""
    if flat.dtype.kind != "U" or not flat.nbytes:
        return
    letters = flat.view(np.dtype(np.uint32).newbyteorder(flat.dtype.byteorder))
    if letters.max() > sys.maxunicode:
        raise ValueError(f"{path}: '{called}' is text of letters that there are none of")


def _check_trust(path: Path, what: str, *, trust: bool) -> None:
    if not trust:
        raise ValueError(
            f"{path}: {what} is an object array, which is a pickle; "
            "give --trust if you trust its maker (it is read without running it)"
        )


def _read_to_the_end(stream: IO[bytes]) -> None:
    """The checksum is compared at the end of a member, and only there."""
    while stream.read(_PIECE):
        pass
