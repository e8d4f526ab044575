"""h36m-fetch: `S1/Directions-1/annot.h5` with the pictures of each camera beside it.

`pose/2d` (F, 32, 2) px and `pose/3d` (F, 32, 3) mm in the camera's frame, the rows of all cameras
after each other, with `camera` and `frame`; pictures in `imageSequence/<camera>/img_%06d.jpg`. An
old version has only `pose/3d-univ`, the universal skeleton: another body than the one filmed, so
it is refused unless the 2D is its projection. The file's own intrinsics leave distortion out (up
to 30 px), so the camera is fitted to 2D and 3D, or comes by --cameras. No half-pixel shift.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import h5py
import numpy as np

from posezoo.data.convert.cameras import Stations, fitted, lens_of, read_cameras
from posezoo.data.convert.recipe import (
    Options,
    Piece,
    Reading,
    Remarks,
    understood,
    whole_numbers,
)
from posezoo.data.convert.source_sequence import SourceSequence, finish
from posezoo.data.hdf5 import numbers, read_hdf5
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.skeleton import SKELETONS

_LAYOUT = "pose/2d (F, 32, 2) px, pose/3d (F, 32, 3) mm, frame (F,), camera (F,)"


def read(source: Path, options: Options) -> Reading:
    """A piece for each annot.h5 and camera.

    Raises:
        ValueError: no such folder, or a file that lacks what it must have.
    """
    files = sorted(source.glob("S*/*/annot.h5"))
    if not files:
        raise ValueError(f"{source}: holds no S*/<action>/annot.h5")
    stations = read_cameras(options, "") if options.cameras else None
    pieces = []
    for path in files:
        views = np.unique(read_hdf5(path, lambda file: numbers(file, "camera"), expected=_LAYOUT))
        pieces += [
            Piece(
                f"{path.parents[1].name} {path.parent.name} {view}",
                partial(_read, path, int(view), stations, options),
            )
            for view in views
        ]
    return Reading(SKELETONS["h36m32"], pieces, files)


def _read(
    path: Path, view: int, stations: Stations | None, options: Options, remarks: Remarks
) -> list[PoseSequence]:
    def load(file: h5py.File) -> tuple[str, list[np.ndarray]]:
        key = "pose/3d" if "pose/3d" in file else "pose/3d-univ"
        return key, [numbers(file, each) for each in ("camera", key, "pose/2d", "frame")]

    key, (camera_of, mm, px, frame) = read_hdf5(path, load, expected=_LAYOUT)
    rows = np.flatnonzero(camera_of == view)
    mm, px = mm.astype(np.float64), px.astype(np.float64)
    with understood(path, _LAYOUT):
        frame = whole_numbers(frame)
    if camera_of.shape != frame.shape:
        raise ValueError(f"{path}: camera is {camera_of.shape}, frame {frame.shape}")
    if mm.shape[1:] != (32, 3) or px.shape != (*mm.shape[:2], 2) or frame.shape != mm.shape[:1]:
        raise ValueError(
            f"{path}: {key} is {mm.shape}, pose/2d {px.shape}, frame {frame.shape}; "
            f"expected {_LAYOUT}"
        )
    rows = rows[np.argsort(frame[rows], kind="stable")]
    mm, px, frame = mm[rows], px[rows], frame[rows]
    if key != "pose/3d":
        remarks.repaired(len(rows), "only the universal skeleton is there (pose/3d-univ)")
    if stations is None:
        camera = fitted(remarks.piece, mm, px)
        remarks.repaired(len(rows), "camera with its distortion fitted to 2D and 3D")
    else:
        camera = lens_of(stations, str(view)).parameters
    folder = path.parent / "imageSequence" / str(view)
    recording = SourceSequence(
        skeleton=SKELETONS["h36m32"],
        subject=path.parents[1].name,
        action=path.parent.name.rpartition("-")[0] or path.parent.name,
        sequence=path.parent.name,
        view=str(view),
        frame=frame,
        camera=camera,
        camera_mm=mm,
        px=px,
        picture=(lambda row: folder / f"img_{frame[row]:06d}.jpg") if folder.is_dir() else None,
    )
    return finish(recording, options, remarks)
