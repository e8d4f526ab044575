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
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with h5py.File(path) as file:
            return _read_layout(str(path), file)
    except (OSError, KeyError, RuntimeError) as error:  # h5py's words for a cut or damaged file
        raise ValueError(f"{path}: not a whole HDF5 file ({error}); see docs/data.md") from error


def _read_layout(path: str, file: h5py.File) -> StoreFile:
    attributes = dict(file.attrs)
    found, version = attributes.get("format"), attributes.get("version")
    if (found, version) != (FORMAT, VERSION):
        raise ValueError(
            f"{path}: is {found}, version {version}; expected {FORMAT}, version {VERSION}; "
            "see docs/data.md"
        )
    if attributes.get("complete") != 1:
        raise ValueError(f"{path}: its writing was not finished; make the store anew")
    skeleton = get_skeleton(str(attributes.get("skeleton")))
    lengths = {"J": skeleton.num_joints}
    columns, sha256 = {}, {}
    for name, layout in LAYOUT.items():
        if name not in file or not isinstance(file[name], h5py.Dataset):
            raise ValueError(f"{path}: lacks {name}; see docs/data.md")
        dataset = file[name]
        _check_column(path, name, dataset, layout, lengths, skeleton)
        columns[name] = _column(path, name, dataset)
        sha256[name] = str(dataset.attrs["sha256"])
    one_person = attributes.get("split") == ONE_PERSON
    detections = {
        name: _detection(path, name, group, lengths["N"])
        for name, group in file.get("detections", {}).items()
    }
    return StoreFile(path, skeleton, columns, sha256, one_person, detections)


def _column(path: str, name: str, dataset: h5py.Dataset) -> Column:
    place = dataset.id.get_offset() if dataset.size else 0
    if place is None:
        raise ValueError(f"{path}: {name} is not contiguous; write stores by write_store")
    return Column(path, place, dataset.shape, dataset.dtype.str)


def _detection(path: str, name: str, group: h5py.Group, items: int) -> Detection:
    skeleton = get_skeleton(str(group.attrs["joint_set"]))
    lengths = {"N": items, "K": skeleton.num_joints}
    found, sha256 = {}, {}
    for part, layout in DETECTED.items():
        whole = f"detections/{name}/{part}"
        if part not in group or not isinstance(group[part], h5py.Dataset):
            raise ValueError(f"{path}: lacks {whole}; see docs/data.md")
        _check_column(path, whole, group[part], layout, lengths, skeleton)
        found[part] = _column(path, whole, group[part])
        sha256[part] = str(group[part].attrs["sha256"])
    return Detection(
        skeleton=skeleton,
        px=found["px"],
        confidence=found["confidence"],
        source=str(group.attrs["source"]),
        source_sha256=str(group.attrs["source_sha256"]),
        sha256=sha256,
    )


def _check_column(
    path: str,
    name: str,
    dataset: h5py.Dataset,
    layout: tuple[str, tuple[str | int, ...]],
    lengths: dict[str, int],  # what the letters stand for; takes up those not yet known
    skeleton: Skeleton,
) -> None:
    dtype, shape = layout
    right_kind = dataset.dtype.kind == "S" if dtype == "S" else dataset.dtype.str == dtype
    if not right_kind or dataset.ndim != len(shape):
        raise ValueError(
            f"{path}: {name} is {dataset.dtype.str} {dataset.shape}, expected {dtype} {shape}"
        )
    for letter, found in zip(shape, dataset.shape, strict=True):
        wanted = letter if isinstance(letter, int) else lengths.get(letter, found)
        if letter in ("J", "K") and found != wanted:
            raise ValueError(
                f"{path}: {name}: expected {wanted} joints in the order "
                f"{', '.join(skeleton.joints)}; got {found}"
            )
        if found != wanted:
            raise ValueError(
                f"{path}: {name} is {dataset.shape}, expected {shape} with {letter} = {wanted}"
            )
        if isinstance(letter, str) and letter != "*":
            lengths[letter] = found
