"""Sequences on the disk while a conversion runs, so that it can go on where it was broken off.

One file for each piece of the source, written beside its name and renamed: a piece is there whole
or not at all. Plain arrays and JSON, nothing pickled.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec
import numpy as np

from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.npz_file import read_arrays
from posezoo.typed_files import Count, parse_json, typed
from posezoo.whole_files import write_atomically, written_beside

T = TypeVar("T")
Arrays: TypeAlias = dict[str, np.ndarray]

_ROWS = (
    *("joints2d_px", "joints3d_mm", "root_mm", "labelled2d", "labelled3d", "visible"),
    *("camera", "frame"),
)
_NAMES = ("subject", "action", "sequence", "view")


class ConversionCache:
    """The folder of a conversion.

    Args:
        folder: made if it is not there.
        source: what tells this conversion from every other.
        restart: throw away what is there.

    Raises:
        ValueError: the folder belongs to a conversion of another source.
    """

    def __init__(self, folder: Path, source: dict[str, Any], *, restart: bool) -> None:
        self.folder, mark = folder, folder / "cache.json"
        text = json.dumps(source, indent=1)
        if restart:
            self.remove()
        if mark.is_file() and mark.read_bytes() != text.encode():
            raise ValueError(
                f"{folder}: is left from a conversion of another source, with other options, or of "
                "files that have changed since; give --restart to begin anew"
            )
        folder.mkdir(parents=True, exist_ok=True)
        if not mark.is_file():
            write_atomically(mark, text.encode())

    def __contains__(self, number: int) -> bool:
        return self._path(number).is_file()

    def put(
        self, number: int, sequences: Sequence[PoseSequence], remarks: list[dict[str, Any]]
    ) -> None:
        """Keep the sequences of a piece, and what was remarked on it."""
        arrays: dict[str, Any] = {}
        head: list[dict[str, Any]] = []
        pictures: list[bytes] = []
        for clip in sequences:
            head.append({name: getattr(clip, name) for name in _NAMES} | {"frames": len(clip)})
            head[-1]["pictures"] = clip.pictures is not None
            pictures += clip.pictures or ()
        for name in _ROWS if sequences else ():
            arrays[name] = np.concatenate([_rows(clip, name) for clip in sequences])
        arrays["picture_end"] = np.cumsum([len(picture) for picture in pictures], dtype=np.int64)
        arrays["pictures"] = np.frombuffer(b"".join(pictures), np.uint8)
        text = json.dumps({"sequences": head, "remarks": remarks})
        arrays["head"] = np.frombuffer(text.encode(), np.uint8)
        with written_beside(self._path(number)) as part:
            np.savez(part, **arrays)

    def head(self, number: int) -> dict[str, Any]:
        """The names and lengths of a piece's `sequences`, and the `remarks` on it."""
        return self._load(number, _head, "head")

    def sequences(self, count: int) -> Iterator[PoseSequence]:
        """The sequences of the first `count` pieces, in their order."""
        for number in range(count):
            yield from self._load(number, lambda arrays: [*_read(_head(arrays), arrays)])

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self, number: int, read: Callable[[Arrays], T], *names: str) -> T:
        """What `read` makes of the arrays of these names; without any, of all."""
        path = self._path(number)
        try:
            return read(read_arrays(path, *names))
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(f"{path}: damaged; begin anew by --restart") from error

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"


def _rows(clip: PoseSequence, name: str) -> np.ndarray:
    values = np.asarray(getattr(clip, name))
    return np.broadcast_to(values, (len(clip), 10)) if name == "camera" else values


class _Clip(msgspec.Struct):
    """Names of a sequence, and its length."""

    subject: str
    action: str
    sequence: str
    view: str
    frames: Count
    pictures: bool


class _Head(msgspec.Struct):
    """What a piece holds."""

    sequences: list[_Clip]
    remarks: list[dict[str, Any]]


def _head(arrays: Arrays) -> dict[str, Any]:
    text = arrays["head"].tobytes().decode()
    found: dict[str, Any] = msgspec.to_builtins(typed(parse_json(text, where=""), _Head, where=""))
    return found


def _read(head: dict[str, Any], arrays: Arrays) -> Iterator[PoseSequence]:
    ends = [0, *arrays["picture_end"].tolist()]
    row = picture = 0
    for about in head["sequences"]:
        count = about["frames"]
        values: dict[str, Any] = {name: arrays[name][row : row + count] for name in _ROWS}
        clip = PoseSequence(**values, **{name: about[name] for name in _NAMES})
        row += count
        if about["pictures"]:
            spans = zip(ends[picture:], ends[picture + 1 : picture + count + 1], strict=False)
            files = [arrays["pictures"][first:last].tobytes() for first, last in spans]
            clip, picture = replace(clip, pictures=files), picture + count
        yield clip
