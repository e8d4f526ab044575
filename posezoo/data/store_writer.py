"""Writing a store: beside its final name, checked, fsynced, then renamed. Whole or not at all.

Pictures go to a nameless temporary file first, since a contiguous array must know its length when
it is created. HDF5 lays the file out, but the values are written past it: a full disk is then an
error like any other, while HDF5 cannot close a file that it could not write.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeAlias

import h5py
import numpy as np

from posezoo.contracts import Dataset, Sample
from posezoo.data.crop import inside
from posezoo.data.people import split_people
from posezoo.data.pictures import check_picture, encode_jpeg
from posezoo.data.store_check import check_numbers
from posezoo.data.store_file import FORMAT, LAYOUT, VERSION, as_bytes, checksum, open_store
from posezoo.skeleton import Skeleton

Columns: TypeAlias = dict[str, np.ndarray]

_SPARE_BYTES = 16 << 20  # left free on the disk beyond what the store takes


def write_store(
    path: str | Path,
    samples: Iterable[tuple[Sample, bytes]],  # single pictures (T = 1), each with its JPEG or PNG
    *,
    skeleton: Skeleton,
    val: str = "",
    licence: str = "unknown",
    credit: str = "",
) -> None:
    """Write samples with their pictures as they are (empty bytes: no picture).

    Args:
        path: the new file; nothing may be there.
        samples: 2D in px of the whole picture as its file holds it, and its camera. A sample's own
            `image` is not looked at.
        skeleton: the joint set of the samples.
        val: people to be held out, names between "/"; empty: about a fifth of them, by a hash.
        licence: of pictures and poses.
        credit: who must be named where they are used.

    Raises:
        ValueError: the file exists, the disk is full, or a sample or the whole cannot be a store.
            Nothing is left behind.
    """
    path = Path(path)
    if path.exists():
        raise ValueError(f"{path}: exists already; remove it first or take another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with tempfile.TemporaryFile(dir=path.parent) as pictures:
            columns = _gather(samples, skeleton, pictures)
            columns |= _tables(columns, val)
            attributes = {"licence": licence, "credit": credit, "skeleton": skeleton.name}
            _write(part, columns, attributes)
        check_numbers(open_store(part))
        _sync(part)
        part.rename(path)
        _sync(path.parent)
    except (OSError, RuntimeError) as error:  # the latter is how HDF5 fails to close a file
        raise ValueError(f"{path}: not written ({error}); nothing was left behind") from error
    finally:
        part.unlink(missing_ok=True)


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

    Raises:
        ValueError: as `write_store`.
    """

    def items() -> Iterator[tuple[Sample, bytes]]:
        for index in range(count):
            sample = dataset[index]
            yield sample, b"" if sample.image is None else encode_jpeg(sample.image)

    write_store(path, items(), skeleton=dataset.skeleton, val=val, licence=licence, credit=credit)


def _gather(
    samples: Iterable[tuple[Sample, bytes]], skeleton: Skeleton, pictures: IO[bytes]
) -> Columns:
    rows: dict[str, list[Any]] = {
        name: [] for name, (_, shape) in LAYOUT.items() if shape[0] == "N"
    }
    for number, (sample, picture) in enumerate(samples):
        try:
            row = _row(sample, picture, skeleton)
        except ValueError as error:
            raise ValueError(f"sample {number}: {error}") from error
        pictures.write(picture)
        row["picture_end"] = pictures.tell()
        for name, value in row.items():
            rows[name].append(value)
    if not rows["subject"]:
        raise ValueError("there are no samples to write")
    if len({min(side) > 0 for side in rows["size_px"]}) > 1:
        raise ValueError("some samples have a picture and some have none; expected all or none")
    pictures.flush()
    columns = {name: np.array(values) for name, values in rows.items()}
    columns["pictures"] = np.memmap(pictures, np.uint8, "r") if pictures.tell() else np.zeros(0)
    return columns


def _row(sample: Sample, picture: bytes, skeleton: Skeleton) -> dict[str, Any]:
    expected = (1, skeleton.num_joints, 3)
    if tuple(sample.joints3d.shape) != expected:
        raise ValueError(
            f"joints3d is {tuple(sample.joints3d.shape)}, expected {expected} (T, J, 3): one frame "
            f"of the joints {', '.join(skeleton.joints)}"
        )
    width, height = size = (0, 0)
    visible = sample.visible
    if picture:
        try:
            width, height = size = check_picture(picture)
        except ValueError as error:
            raise ValueError(f"the picture {error}") from error
        visible = visible & inside(sample.joints2d, sample.joints2d.new_tensor([[width, height]]))
    return {
        "joints2d_px": sample.joints2d[0].numpy(),
        "joints3d_mm": sample.joints3d[0].numpy(),
        "root_mm": sample.root_mm[0].numpy(),
        "visible": visible[0].numpy(),
        "camera": sample.camera.parameters.numpy(),
        "subject": sample.subject,
        "action": sample.action,
        "size_px": size,
    }


def _tables(columns: Columns, val: str) -> Columns:
    """Names to numbers, with the tables of names, and who is held out."""
    people, subject = np.unique(columns["subject"], return_inverse=True)
    actions, action = np.unique(columns["action"], return_inverse=True)
    return {
        "subject": subject,
        "subject_names": np.char.encode(people, "utf-8"),
        "held_out": np.isin(people, split_people(people.tolist(), val, "val")),
        "action": action,
        "action_names": np.char.encode(actions, "utf-8"),
    }


def _write(part: Path, columns: Columns, attributes: dict[str, str]) -> None:
    columns = {
        name: np.ascontiguousarray(columns[name], None if dtype == "S" else dtype)
        for name, (dtype, _) in LAYOUT.items()
    }
    needed = sum(values.nbytes for values in columns.values()) + _SPARE_BYTES
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise ValueError(
            f"{part.parent}: the store needs {needed >> 20} MB, {free >> 20} MB are free; "
            "write it to another disk"
        )
    # "v110" has checksums of its own in all that is not a column.
    with h5py.File(part, "w", libver=("v110", "v110")) as file:
        file.attrs.update(format=FORMAT, version=VERSION, complete=0, **attributes)
        file.attrs["units"] = "joints2d_px: px; joints3d_mm, root_mm: mm, camera frame"
        places = {name: _reserve(file, name, values) for name, values in columns.items()}
    with part.open("r+b") as raw:
        for name, values in columns.items():
            raw.seek(places[name])
            raw.write(as_bytes(values))
    with h5py.File(part, "r+") as file:
        file.attrs.modify("complete", 1)


def _reserve(file: h5py.File, name: str, values: np.ndarray) -> int:
    """Make the dataset but leave its bytes alone; where they begin in the file."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.CONTIGUOUS)
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    dataset = file.create_dataset(name, values.shape, values.dtype, dcpl=plan)
    dataset.attrs["sha256"] = checksum(values)
    return dataset.id.get_offset() or 0  # an empty one is nowhere


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
