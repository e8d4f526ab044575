"""HDF5 files that anybody may have written: rehearsed, typed, and of one file alone.

HDF5 lets a file name others: links to their objects, raw data that lie in them, mosaics of them.
None of these is followed. Arrays are numbers, with no more bytes than a file of that size may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from posezoo.hints import shown
from posezoo.npz_file import LARGE, MOST_PACKED, WIDEST
from posezoo.rehearsal import rehearse

T = TypeVar("T")

# What h5py raises on a file that is not what it says.
_BROKEN = (OSError, RuntimeError, LookupError, TypeError, AttributeError, ArithmeticError)


def read_hdf5(path: Path, read: Callable[[h5py.File], T], *, expected: str, name: str = "") -> T:
    """What `read` makes of the file, which it is given opened: twice, first in a child process.

    Args:
        path: the file.
        read: takes out of it what is wanted.
        expected: what the file should be, for the error.
        name: see `rehearse`.

    Raises:
        ValueError: no such file, no HDF5, or whatever went wrong inside, in one line.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected {expected}")

    def opened() -> T:
        with _one_line(path, expected), h5py.File(path) as file:
            return read(file)

    rehearse(path, opened, name=name)
    return opened()


def numbers(holder: h5py.Group, name: str) -> np.ndarray:
    """The array of numbers of that name.

    Raises:
        ValueError: there is none, or it is of something else, lies in another file, or declares
            more than the file can hold.
    """
    return np.asarray(dataset(holder, name)[()])


def dataset(holder: h5py.Group, name: str, *, kinds: str = "fiub") -> h5py.Dataset:
    """The dataset of that name, as `numbers` wants it; `kinds` are NumPy's letters."""
    found = member(holder, name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{shown(name)} is a group, expected an array")
    if found.external or found.is_virtual:
        raise ValueError(f"{shown(name)} lies in other files, which are not read")
    wide = found.dtype.kind in "fiub" and found.dtype.itemsize > WIDEST
    if found.shape is None or found.dtype.kind not in kinds or found.dtype.shape or wide:
        raise ValueError(f"{shown(name)} is of {shown(found.dtype)}, expected numbers")
    size = Path(found.file.filename).stat().st_size
    if found.nbytes > max(LARGE, MOST_PACKED * size):
        raise ValueError(
            f"{shown(name)} declares {found.nbytes:,} bytes {found.shape} in a file of {size:,}; "
            "no poses pack so well"
        )
    return found


def member(holder: h5py.Group, name: str) -> Any:
    """A group or dataset of this file, not of one that it links to.

    Raises:
        ValueError: there is none of that name, or it is in another file.
    """
    if name not in holder:
        raise ValueError(f"lacks {shown(name)}")
    steps = name.strip("/").split("/")
    for step in steps:
        if not isinstance(holder, h5py.Group):
            raise ValueError(f"lacks {shown(name)}")
        if isinstance(holder.get(step, getlink=True), h5py.ExternalLink):
            raise ValueError(f"{shown(name)} lies in another file, which is not read")
        holder = holder[step]
    return holder


def text(holder: h5py.Group, name: str, default: str = "") -> str:
    """An attribute that is text, or is written as text.

    Raises:
        ValueError: it is an array or another object.
    """
    value = holder.attrs.get(name, default)
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if not isinstance(value, str | int | float | np.number | np.bool_):
        raise ValueError(f"the attribute {name} is {shown(value)}, expected text")
    return str(value)


@contextmanager
def _one_line(path: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise ValueError(f"{path}: takes more memory than there is; expected {expected}") from error
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: {shown(error, 200)}; expected {expected}") from error
    except _BROKEN as error:
        why = shown(error, 200)
        raise ValueError(f"{path}: not a whole HDF5 file ({why}); expected {expected}") from error
