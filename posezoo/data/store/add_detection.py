"""Adding what a 2D detector found to a store: a new file, whole or not at all."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from posezoo.data.store.store_file import as_bytes, open_store
from posezoo.data.store.store_writer import check_room, reserve
from posezoo.hints import shown
from posezoo.skeleton import Skeleton
from posezoo.whole_files import require_free, written_beside

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def add_detection(
    store: Path,
    out: Path,
    name: str,
    *,
    skeleton: Skeleton,
    px: NDArray[np.floating],  # (N, K, 2) px of the stored picture; NaN where nothing was found
    confidence: NDArray[np.floating],  # (N, K) 0 to 1; 0 where nothing was found
    source: str,
    source_sha256: str,
) -> None:
    """Write `store` again to `out`, with this detection beside what it has.

    Args:
        store: the store; it stays as it is.
        out: the new file; nothing may be there.
        name: what the detection is called, as in `joints2d=NAME`.
        skeleton: its joint set.
        px: in the store's order of items.
        confidence: of the same joints.
        source: the name of the file that it comes from.
        source_sha256: of that file.

    Raises:
        ValueError: the name is none or taken, `out` exists, the disk is full, or the numbers are
            not as they must be. Nothing is left behind.
    """
    check_name(store, out, name)
    px, confidence = np.asarray(px, np.float32), np.asarray(confidence, np.float32)
    found = confidence > 0
    known = np.isfinite(px).all(-1) if px.shape == (*found.shape, 2) else ~found
    if not ((confidence >= 0) & (confidence <= 1) & (known == found)).all():
        raise ValueError(
            f"{name}: expected confidences from 0 to 1, and px exactly where they are not 0"
        )
    values = {"px": np.ascontiguousarray(px), "confidence": np.ascontiguousarray(confidence)}
    out.parent.mkdir(parents=True, exist_ok=True)
    about = {"joint_set": skeleton.name, "source": source, "source_sha256": source_sha256}
    try:
        check_room(out.parent, store.stat().st_size + px.nbytes + confidence.nbytes)
        with written_beside(out) as part:
            shutil.copyfile(store, part)
            with h5py.File(part, "r+", libver=("v110", "v110")) as file:
                file.attrs.modify("complete", 0)
                group = file.create_group(f"detections/{name}")
                group.attrs.update(about)
                places = {key: reserve(group, key, each) for key, each in values.items()}
            with part.open("r+b") as raw:
                for key, each in values.items():
                    raw.seek(places[key])
                    raw.write(as_bytes(each))
            with h5py.File(part, "r+", libver=("v110", "v110")) as file:
                file.attrs.modify("complete", 1)
            open_store(part)
    except (OSError, RuntimeError) as error:  # the latter is how HDF5 fails to close a file
        raise ValueError(f"{out}: not written ({error}); nothing was left behind") from error


def check_name(store: Path, out: Path, name: str) -> None:
    """Refuse a name or a file that cannot be.

    Raises:
        ValueError: the name is none or taken, or `out` exists.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"--name {shown(name)}: expected lower-case letters, digits and '_', a letter first, "
            "such as cpn"
        )
    if name in open_store(store).detections:
        raise ValueError(f"{store}: has a detection {name} already; take another --name")
    require_free(out)
