"""The layout of a store (one HDF5 file of pictures and poses), and reading it without HDF5.

Every array is contiguous, so HDF5 is asked once where each lies and NumPy maps it from there:
safe in threads and in forked or spawned workers, and ten times faster (docs/data.md).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from posezoo.data.hdf5 import dataset, member, read_hdf5, text
from posezoo.hints import shown
from posezoo.skeleton import Skeleton, get_skeleton

FORMAT, VERSION = "posezoo-store", 2

# dtype and shape of every column: N items, J joints, "*" any length; S people, A actions,
# Q sequences, V views
LAYOUT: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "joints2d_px": ("<f4", ("N", "J", 2)),
    "joints3d_mm": ("<f4", ("N", "J", 3)),
    "root_mm": ("<f4", ("N", 3)),
    "labelled2d": ("|u1", ("N", "J")),
    "labelled3d": ("|u1", ("N", "J")),
    "visible": ("|u1", ("N", "J")),
    "camera": ("<f8", ("N", 10)),
    "subject": ("<i4", ("N",)),
    "action": ("<i4", ("N",)),
    "sequence": ("<i4", ("N",)),
    "view": ("<i4", ("N",)),
    "frame": ("<i8", ("N",)),
    "size_px": ("<i4", ("N", 2)),
    "picture_end": ("<i8", ("N",)),
    "pictures": ("|u1", ("*",)),
    "subject_names": ("S", ("S",)),
    "action_names": ("S", ("A",)),
    "sequence_names": ("S", ("Q",)),
    "view_names": ("S", ("V",)),
    "held_out": ("|u1", ("S",)),
}
# Of each detection, a group of its own below `detections`: K joints of its own joint set.
DETECTED: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "px": ("<f4", ("N", "K", 2)),
    "confidence": ("<f4", ("N", "K")),
}
ONE_PERSON = "parts of one person"  # the attribute `split` of a store that nobody said `val` for
NAMED = ("subject", "action", "sequence", "view")  # columns of numbers into a table of names


class Column:
    """One array of the file, mapped when first used; pickles as its place in the file."""

    def __init__(self, path: str, offset: int, shape: tuple[int, ...], dtype: str) -> None:
        self._path, self._offset, self._shape, self._dtype = path, offset, shape, dtype
        self._mapped: np.ndarray | None = None

    @property
    def array(self) -> np.ndarray:
        """The values, read-only, read from the disk as they are touched."""
        if self._mapped is None and 0 in self._shape:
            self._mapped = np.empty(self._shape, self._dtype)  # nothing there to map
        elif self._mapped is None:
            self._mapped = np.memmap(
                self._path, self._dtype, mode="r", offset=self._offset, shape=self._shape
            )
        return self._mapped

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}


@dataclass(frozen=True, slots=True)
class Detection:
    """What one 2D detector found on a store's pictures, in its own joint set."""

    skeleton: Skeleton
    px: Column  # (N, K, 2) px of the stored picture; NaN where it found nothing
    confidence: Column  # (N, K) 0 to 1; 0 where it found nothing
    source: str  # the file that it was read from
    source_sha256: str
    sha256: dict[str, str]  # of `px` and `confidence`


@dataclass(frozen=True, slots=True)
class StoreFile:
    """An opened store: its columns by name (see `LAYOUT`) and the sha256 that each should have."""

    path: str
    skeleton: Skeleton
    columns: dict[str, Column]
    sha256: dict[str, str]
    one_person: bool = False  # all there is: a part of what they did is held out
    detections: dict[str, Detection] = field(default_factory=dict)  # by name

    def detection(self, name: str) -> Detection:
        """The detection of that name.

        Raises:
            ValueError: there is none; the text names those there are.
        """
        if name not in self.detections:
            known = ", ".join(self.detections) or "none"
            raise ValueError(
                f"{self.path}: has no detection {shown(name)} (it has {known}); posezoo data "
                "detections adds one"
            )
        return self.detections[name]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name].array

    def names(self, kind: str) -> np.ndarray:
        """The names of a column of `NAMED`, in the order of their numbers."""
        return np.char.decode(self[f"{kind}_names"], "utf-8")

    def verify(self) -> None:
        """Read everything and compare it with the checksums that were written beside it.

        Raises:
            ValueError: the first column that is not what was written.
        """
        columns = {name: (column, self.sha256[name]) for name, column in self.columns.items()}
        for name, found in self.detections.items():
            for part, digest in found.sha256.items():
                columns[f"detections/{name}/{part}"] = (getattr(found, part), digest)
        for name, (column, digest) in columns.items():
            if checksum(column.array) != digest:
                raise ValueError(
                    f"{self.path}: {name} is damaged (its sha256 is not the one written with it); "
                    "make or copy the store anew"
                )


def as_bytes(array: np.ndarray) -> memoryview:
    """The bytes of the array, without a copy where it is contiguous."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def checksum(array: np.ndarray) -> str:
    """The sha256 of the array's bytes."""
    return hashlib.sha256(as_bytes(array)).hexdigest()


def open_store(path: str | Path) -> StoreFile:
    """Find every column of the file.

    Raises:
        ValueError: missing, cut, not finished, of another format or version, or a column that is
            absent or of another shape or kind.
    """
    return read_hdf5(
        Path(path),
        lambda file: _read_layout(str(path), file),
        expected="a store, see docs/data.md",
        name="store",
    )


def _read_layout(path: str, file: h5py.File) -> StoreFile:
    kind, version = text(file, "format", "None"), text(file, "version", "None")
    if (kind, version) != (FORMAT, str(VERSION)):
        raise ValueError(
            f"{path}: is {shown(kind)}, version {shown(version)}; expected {FORMAT}, version "
            f"{VERSION}; see docs/data.md"
        )
    if text(file, "complete") != "1":
        raise ValueError(f"{path}: its writing was not finished; make the store anew")
    skeleton = get_skeleton(text(file, "skeleton"))
    lengths = {"J": skeleton.num_joints}
    columns, sha256 = {}, {}
    for name, layout in LAYOUT.items():
        found = dataset(file, name, kinds="fiubS")
        _check_column(path, name, found, layout, lengths, skeleton)
        columns[name] = _column(path, name, found)
        sha256[name] = text(found, "sha256")
    one_person = text(file, "split") == ONE_PERSON
    detections = {}
    for name in member(file, "detections") if "detections" in file else ():
        group = member(file, f"detections/{name}")
        detections[name] = _detection(path, name, group, lengths["N"])
    return StoreFile(path, skeleton, columns, sha256, one_person, detections)


def _column(path: str, name: str, column: h5py.Dataset) -> Column:
    place = column.id.get_offset() if column.size else 0
    if place is None:
        raise ValueError(f"{path}: {shown(name)} is not contiguous; write stores by write_store")
    if place + column.nbytes > Path(path).stat().st_size:
        raise ValueError(f"{path}: cut: {shown(name)} ends after the file's end; copy it anew")
    return Column(path, place, column.shape, column.dtype.str)


def _detection(path: str, name: str, group: h5py.Group, items: int) -> Detection:
    skeleton = get_skeleton(text(group, "joint_set"))
    lengths = {"N": items, "K": skeleton.num_joints}
    found, sha256 = {}, {}
    for part, layout in DETECTED.items():
        column = dataset(group, part)
        _check_column(path, f"detections/{name}/{part}", column, layout, lengths, skeleton)
        found[part] = _column(path, f"detections/{name}/{part}", column)
        sha256[part] = text(column, "sha256")
    return Detection(
        skeleton=skeleton,
        px=found["px"],
        confidence=found["confidence"],
        source=text(group, "source"),
        source_sha256=text(group, "source_sha256"),
        sha256=sha256,
    )


def _check_column(
    path: str,
    name: str,
    column: h5py.Dataset,
    layout: tuple[str, tuple[str | int, ...]],
    lengths: dict[str, int],  # what the letters stand for; takes up those not yet known
    skeleton: Skeleton,
) -> None:
    dtype, shape = layout
    right_kind = column.dtype.kind == "S" if dtype == "S" else column.dtype.str == dtype
    if not right_kind or column.ndim != len(shape):
        raise ValueError(
            f"{path}: {shown(name)} is {column.dtype.str} {column.shape}, expected {dtype} {shape}"
        )
    for letter, found in zip(shape, column.shape, strict=True):
        wanted = letter if isinstance(letter, int) else lengths.get(letter, found)
        if letter in ("J", "K") and found != wanted:
            raise ValueError(
                f"{path}: {shown(name)}: expected {wanted} joints in the order "
                f"{', '.join(skeleton.joints)}; got {found}"
            )
        if found != wanted:
            raise ValueError(
                f"{path}: {shown(name)} is {column.shape}, expected {shape} with {letter} = "
                f"{wanted}"
            )
        if isinstance(letter, str) and letter != "*":
            lengths[letter] = found
