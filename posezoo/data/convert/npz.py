"""The arrays of an .npz file: mapped where they lie uncompressed, object arrays without unpickling.

`np.savez` stores plain arrays as they are, so a file of gigabytes is opened at once and read as it
is used. An object array is a pickle; its plain contents are read by `plain_pickle`.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy

from posezoo.data.convert.plain_pickle import load_plain

_LOCAL_HEADER = 30  # bytes before the name in a zip file's header of a member


def open_npz(path: Path, *keys: str) -> dict[str, Any]:
    """The named members: an array, or the value inside a pickled object.

    Raises:
        KeyError: the file lacks one of them; the text lists what it has.
        OSError, ValueError, zipfile.BadZipFile: it is no whole .npz file.
    """
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        for key in keys:
            if key not in names:
                raise KeyError(f"{key} (it has {', '.join(names)})")
        return {key: _member(path, archive, f"{key}.npy") for key in keys}


def npz_keys(path: Path) -> list[str]:
    """What the file holds."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> Any:
    info = archive.getinfo(name)
    with archive.open(info) as stream:
        shape, in_columns, dtype = _header(stream)
        if dtype.hasobject:
            array = load_plain(stream)
            return array.item() if array.shape == () else array
        if info.compress_type != zipfile.ZIP_STORED or 0 in shape or not shape:
            data = np.frombuffer(stream.read(), dtype)
            return data.reshape(shape, order="F" if in_columns else "C")
        header_bytes = stream.tell()
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        header = raw.read(_LOCAL_HEADER)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = info.header_offset + _LOCAL_HEADER + lengths + header_bytes
    order: Literal["F", "C"] = "F" if in_columns else "C"
    return np.memmap(path, dtype, "r", start, shape, order)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(stream)
