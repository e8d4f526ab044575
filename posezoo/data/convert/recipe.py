"""What every importer gives: the pieces of a source, each read when its turn comes, and remarks.

A reader of a format is a function `read(source, options) -> Reading`. It looks at as little of
the source as tells what is there; a piece reads its own part and makes sequences of it, so that a
large source is never in memory whole and a broken-off conversion goes on at the next piece.
"""

from __future__ import annotations

import csv
import json
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.hints import shown
from posezoo.skeleton import H36M17, Skeleton

# What h5py, scipy, cdflib and the standard library raise on a file that is not what it says.
_BROKEN = (
    OSError,
    EOFError,
    struct.error,
    TypeError,
    IndexError,
    AttributeError,
    UnboundLocalError,
    RuntimeError,
    ArithmeticError,
    NotImplementedError,
    MemoryError,
    csv.Error,
    zlib.error,
    tokenize.TokenError,
)
_LARGEST = 2**53  # from there on a float has no units
_LONGEST = 200  # characters of what a library says of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user may ask of any importer."""

    joints: Skeleton = H36M17  # the joint set of the store
    cameras: Path | None = None  # a camera file (docs/data.md)
    images: Path | None = None  # the folder in which the source's picture names are found
    every: int = 1  # take every n-th frame
    trust: bool = False  # read a pickle, whole or as an object array of an .npz file


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that did not go into the store, or not as it stood in the source."""

    what: Literal["repaired", "dropped"]
    piece: str
    frames: int
    reason: str


@dataclass(slots=True)
class Remarks:
    """The remarks on one piece."""

    piece: str
    remarks: list[Remark] = field(default_factory=list)

    def repaired(self, frames: int, reason: str) -> None:
        """Frames that were kept but changed."""
        if frames:
            self.remarks.append(Remark("repaired", self.piece, frames, reason))

    def dropped(self, frames: int, reason: str) -> None:
        """Frames that were left out."""
        if frames:
            self.remarks.append(Remark("dropped", self.piece, frames, reason))

    def to_json(self) -> list[dict[str, Any]]:
        """For the cache and the report."""
        return [asdict(remark) for remark in self.remarks]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the source that is read in one go."""

    name: str  # of its own in the source
    read: Callable[[Remarks], list[PoseSequence]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A source that has been opened."""

    skeleton: Skeleton  # of the source
    pieces: list[Piece]
    files: list[Path]  # a change of any of these makes it another source


@contextmanager
def understood(path: Path, layout: str) -> Iterator[None]:
    """Turn what libraries raise on a broken file into one error that names file and layout.

    Raises:
        ValueError: whatever went wrong inside.
    """
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; expected {layout}") from None
    except KeyError as error:
        raise ValueError(f"{path}: lacks {shown(error)}; expected {layout}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: cut or damaged ({_why(error)}); expected {layout}") from error
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: {_why(error)}; expected {layout}") from error
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply; expected {layout}") from None
    except _BROKEN as error:
        raise ValueError(f"{path}: cannot be read ({_why(error)}); expected {layout}") from error


def whole_numbers(values: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers of frames, also where a spreadsheet wrote 7.0.

    Raises:
        ValueError: one is no whole number.
    """
    if values.dtype.kind == "c":
        raise ValueError("complex numbers, expected whole ones")
    numbers = values.astype(np.float64)
    wrong = np.flatnonzero(~((np.abs(numbers) < _LARGEST) & (numbers == np.round(numbers))))
    if len(wrong):
        raise ValueError(f"frame is {shown(values[wrong[0]])}, expected a whole number")
    return numbers.astype(np.int64)


def _why(error: Exception) -> str:
    """What a library says: a stable text, without the addresses of objects in memory."""
    return shown(re.sub(r" at 0x[0-9a-fA-F]+", "", str(error)), _LONGEST)
