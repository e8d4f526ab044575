"""Writing a store: beside its final name, checked, then put in place. Whole or not at all.

Pictures go to a nameless temporary file first, since a contiguous array must know its length when
it is created. HDF5 lays the file out, but the values are written past it: a full disk is then an
error like any other, while HDF5 cannot close a file that it could not write.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TypeAlias

import h5py
import numpy as np
import torch

from posezoo.contracts import Dataset
from posezoo.data.crop import inside
from posezoo.data.people import split_people
from posezoo.data.store.pictures import check_picture, encode_jpeg
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store_check import check_numbers
from posezoo.data.store.store_file import (
    FORMAT,
    LAYOUT,
    NAMED,
    ONE_PERSON,
    VERSION,
    as_bytes,
    checksum,
    open_store,
)
from posezoo.skeleton import Skeleton
from posezoo.whole_files import require_free, written_beside

Columns: TypeAlias = dict[str, np.ndarray]

_SPARE_BYTES = 16 << 20  # left free on the disk beyond what the store takes


def write_store(
    path: str | Path,
    sequences: Iterable[PoseSequence],
    *,
    skeleton: Skeleton,
    val: str = "",
    licence: str = "unknown",
    credit: str = "",
) -> None:
    """Write sequences with their pictures as they are.

    Args:
        path: the new file; nothing may be there.
        sequences: all with pictures, or all without.
        skeleton: the joint set of the sequences.
        val: people to be held out, names between "/"; empty: about a fifth of them, by a hash, or
            a part of one person who is all there is (`posezoo.data.people`).
        licence: of pictures and poses.
        credit: who must be named where they are used.

    Raises:
        ValueError: the file exists, the disk is full, or a clip or the whole cannot be a store.
            Nothing is left behind.
    """
    path = Path(path)
    require_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with written_beside(path) as part:
            with tempfile.TemporaryFile(dir=path.parent) as pictures:
                columns = _gather(sequences, skeleton, pictures)
                columns |= _tables(columns, val)
                attributes = {"licence": licence, "credit": credit, "skeleton": skeleton.name}
                if len(columns["subject_names"]) == 1 and not val:
                    attributes["split"] = ONE_PERSON
                _write(part, columns, attributes)
            check_numbers(open_store(part))
    except (OSError, RuntimeError) as error:  # the latter is how HDF5 fails to close a file
        raise ValueError(f"{path}: not written ({error}); nothing was left behind") from error


def export(
    dataset: Dataset,
    path: str | Path,
    count: int,
    *,
    val: str = "",
    licence: str = "unknown",
    credit: str = "",
) -> None:
    """Write the first `count` items of any dataset to a store, pictures as JPEG where it has them.

    Each item is a sequence of its own, so that no clip spans two of them.

    Raises:
        ValueError: as `write_store`.
    """

    def sequences() -> Iterator[PoseSequence]:
        for index in range(count):
            sample = dataset[index]
            picture = None if sample.image is None else encode_jpeg(sample.image)
            yield PoseSequence.single(sample, picture, sequence=f"item{index}")

    write_store(
        path, sequences(), skeleton=dataset.skeleton, val=val, licence=licence, credit=credit
    )


def _gather(sequences: Iterable[PoseSequence], skeleton: Skeleton, pictures: IO[bytes]) -> Columns:
    rows: dict[str, list[np.ndarray]] = {
        name: [] for name, (_, shape) in LAYOUT.items() if shape[0] == "N"
    }
    for number, clip in enumerate(sequences):
        try:
            columns = _columns(clip, skeleton, pictures)
        except ValueError as error:
            place = f"clip {number} ({clip.subject}, {clip.sequence}, {clip.view})"
            raise ValueError(f"{place}: {error}") from error
        for name, values in columns.items():
            rows[name].append(values)
    if not sum(map(len, rows["subject"])):
        raise ValueError("there is nothing to write: no clip has a frame")
    columns = {name: np.concatenate(parts) for name, parts in rows.items()}
    has_picture = columns["size_px"].min(1) > 0
    if has_picture.any() != has_picture.all():
        raise ValueError("some sequences have pictures and some have none; expected all or none")
    pictures.flush()
    columns["pictures"] = np.memmap(pictures, np.uint8, "r") if pictures.tell() else np.zeros(0)
    return columns


def _columns(clip: PoseSequence, skeleton: Skeleton, pictures: IO[bytes]) -> Columns:
    count, joints = len(clip), skeleton.num_joints
    shapes: dict[str, tuple[int, ...]] = {
        "joints2d_px": (count, joints, 2),
        "joints3d_mm": (count, joints, 3),
        "root_mm": (count, 3),
        **dict.fromkeys(("labelled2d", "labelled3d", "visible"), (count, joints)),
    }
    columns: Columns = {name: np.asarray(getattr(clip, name)) for name in shapes}
    for name, values in columns.items():
        if values.shape != shapes[name]:
            raise ValueError(
                f"{name} is {values.shape}, expected {shapes[name]}: {count} frames of the joints "
                f"{', '.join(skeleton.joints)}"
            )
    columns["camera"] = np.broadcast_to(clip.camera, (count, 10))
    columns |= {name: np.full(count, getattr(clip, name)) for name in NAMED}
    columns["frame"] = np.asarray(clip.frame)
    columns["size_px"] = np.zeros((count, 2), np.int32)
    columns["picture_end"] = np.full(count, pictures.tell())
    if clip.pictures is not None:
        if len(clip.pictures) != count:
            raise ValueError(f"has {len(clip.pictures)} pictures, expected {count}")
        for k, picture in enumerate(clip.pictures):
            try:
                columns["size_px"][k] = check_picture(picture)
            except ValueError as error:
                raise ValueError(f"the picture of frame {clip.frame[k]} {error}") from error
            pictures.write(picture)
            columns["picture_end"][k] = pictures.tell()
        on_picture = inside(
            torch.from_numpy(columns["joints2d_px"]), torch.from_numpy(columns["size_px"])
        )
        columns["visible"] = columns["visible"].astype(bool) & on_picture.numpy()
    return columns


def _tables(columns: Columns, val: str) -> Columns:
    """Names to numbers, with the tables of names, and who is held out."""
    tables: Columns = {}
    for kind in NAMED:
        names, tables[kind] = np.unique(columns[kind], return_inverse=True)
        tables[f"{kind}_names"] = np.char.encode(names, "utf-8")
    people = np.unique(columns["subject"])
    tables["held_out"] = np.isin(people, split_people(people.tolist(), val, "val"))
    return tables


def _write(part: Path, columns: Columns, attributes: dict[str, str]) -> None:
    columns = {
        name: np.ascontiguousarray(columns[name], None if dtype == "S" else dtype)
        for name, (dtype, _) in LAYOUT.items()
    }
    check_room(part.parent, sum(values.nbytes for values in columns.values()))
    # "v110" has checksums of its own in all that is not a column.
    with h5py.File(part, "w", libver=("v110", "v110")) as file:
        file.attrs.update(format=FORMAT, version=VERSION, complete=0, **attributes)
        file.attrs["units"] = "joints2d_px: px; joints3d_mm, root_mm: mm, camera frame"
        places = {name: reserve(file, name, values) for name, values in columns.items()}
    with part.open("r+b") as raw:
        for name, values in columns.items():
            raw.seek(places[name])
            raw.write(as_bytes(values))
    with h5py.File(part, "r+") as file:
        file.attrs.modify("complete", 1)


def check_room(folder: Path, needed: int) -> None:
    """Refuse a store of so many bytes that the disk has no room for.

    Raises:
        ValueError: it has not, with some to spare.
    """
    needed, free = needed + _SPARE_BYTES, shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"{folder}: the store needs {needed >> 20} MB, {free >> 20} MB are free; "
            "write it to another disk"
        )


def reserve(file: h5py.Group, name: str, values: np.ndarray) -> int:
    """Make the dataset but leave its bytes alone; where they begin in the file."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.CONTIGUOUS)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    dataset = file.create_dataset(name, values.shape, values.dtype, dcpl=plan)
    dataset.attrs["sha256"] = checksum(values)
    return dataset.id.get_offset() or 0  # an empty one is nowhere
