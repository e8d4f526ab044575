"""What a diagnosis looks at: the arrays of a store or of motion capture, read without judging them.

`open_store` already tells layout from numbers; this adds what a check needs beside the numbers:
where an item belongs, and which items follow one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posezoo.data.hdf5 import read_hdf5
from posezoo.data.mocap.mocap_file import find_mocap_files, read_mocap
from posezoo.data.store.pictures import whole_picture
from posezoo.data.store.store_file import NAMED, StoreFile, open_store
from posezoo.skeleton import H36M17, Skeleton

_FEW = 4  # places that are named one by one
_PLURAL = {"subject": "people", "sequence": "sequences", "view": "cameras"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: what it is, where, what tells, and what to do."""

    fault: str
    frames: int
    where: str
    evidence: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """N poses in the order in which they were filmed, camera by camera."""

    path: str
    skeleton: Skeleton
    joints3d_mm: NDArray[np.float32]  # (N, J, 3) camera frame (store) or world frame (mocap)
    root_mm: NDArray[np.float32]  # (N, 3)
    labelled3d: NDArray[np.bool_]  # (N, J)
    frame: NDArray[np.int64]  # (N,)
    code: dict[str, NDArray[np.int64]]  # (N,) for each of subject, action, sequence, view
    names: dict[str, list[str]]
    store: StoreFile | None = None  # None: motion capture, nothing filmed
    item: NDArray[np.int64] | None = None  # (N,) the store's number of each row

    def __len__(self) -> int:
        return len(self.frame)

    def column(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows of a column of the store."""
        assert self.store is not None and self.item is not None
        return self.store[name][self.item[rows]]

    def picture(self, row: int) -> NDArray[np.uint8] | None:  # (H, W, 3) RGB
        """What was filmed; None: nothing was, or it was not kept.

        Raises:
            ValueError: it is no whole picture.
        """
        if self.store is None or self.item is None or not len(self.store["pictures"]):
            return None
        item, ends = int(self.item[row]), self.store["picture_end"]
        data = self.store["pictures"][ends[item - 1] if item else 0 : ends[item]].tobytes()
        try:
            return whole_picture(data) if data else None
        except ValueError as error:
            raise ValueError(f"{self.path}: the picture of item {item} {error}") from error

    def where(self, rows: NDArray[np.int64]) -> str:
        """The places of some rows: one by one if they are few, else who, what and which camera."""
        kinds = [kind for kind in _PLURAL if any(self.names[kind])]
        keys = np.stack([self.code[kind][rows] for kind in kinds], 1)
        places = np.unique(keys, axis=0)
        if len(places) <= _FEW:
            return ", ".join(
                " ".join(self.names[kind][n] for kind, n in zip(kinds, row, strict=True))
                for row in places
            )
        parts = []
        for column, kind in enumerate(kinds):
            numbers = np.unique(keys[:, column])
            few = len(numbers) <= _FEW
            names = [self.names[kind][n] for n in numbers[:_FEW]]
            parts.append(", ".join(names) if few else f"{len(numbers)} {_PLURAL[kind]}")
        return "; ".join(parts)


def is_store(path: str | Path) -> bool:
    """Whether the file says that it is a store, of any version.

    Raises:
        ValueError: missing, or not HDF5.
    """
    if Path(path).is_dir():
        return False
    return read_hdf5(
        Path(path),
        lambda file: "format" in file.attrs,
        expected="a store or motion capture, see docs/data.md",
        name="kind",
    )


def load_store(path: str | Path) -> Evidence:
    """The rows of a store, sorted by person, sequence, camera and frame.

    Raises:
        ValueError: as `open_store`; or a person, action, sequence or view that has no name.
    """
    store = open_store(path)
    for kind in NAMED:
        known, numbers = len(store[f"{kind}_names"]), store[kind]
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= known):
            raise ValueError(
                f"{path}: {kind} has numbers from {numbers.min()} to {numbers.max()}, but there "
                f"are {known} names; write stores by write_store"
            )
    order = np.lexsort([store[k] for k in ("frame", "view", "sequence", "subject")])
    return Evidence(
        path=str(path),
        skeleton=store.skeleton,
        joints3d_mm=store["joints3d_mm"][order],
        root_mm=store["root_mm"][order],
        labelled3d=store["labelled3d"][order] != 0,
        frame=store["frame"][order],
        code={kind: store[kind][order].astype(np.int64) for kind in NAMED},
        names={kind: store.names(kind).tolist() for kind in NAMED},
        store=store,
        item=order,
    )


def load_mocap(path: str | Path) -> Evidence:
    """The poses of a motion-capture file or folder: no camera, no 2D.

    Raises:
        ValueError: as `read_mocap`, which refuses wrong units, axes and joint orders itself.
    """
    recordings = [each for file in find_mocap_files(path) for each in read_mocap(file)]
    lengths = [len(each.positions_mm) for each in recordings]
    columns = {
        "subject": [each.subject for each in recordings],
        "action": [each.action for each in recordings],
        "sequence": [each.trial for each in recordings],
        "view": [""] * len(recordings),
    }
    code, names = {}, {}
    for kind, values in columns.items():
        table, numbers = np.unique(values, return_inverse=True)
        code[kind], names[kind] = np.repeat(numbers.reshape(-1), lengths), table.tolist()
    joints = np.concatenate([each.positions_mm for each in recordings])
    root = joints[:, H36M17.root]
    return Evidence(
        path=str(path),
        skeleton=H36M17,
        joints3d_mm=joints - root[:, None],
        root_mm=root,
        labelled3d=np.ones(joints.shape[:2], bool),
        frame=np.concatenate([each.frame for each in recordings]),
        code=code,
        names=names,
    )
