"""Human3.6M's own files: CDF, with `Pose` (1, F, 96) or (1, F, 64). Needs cdflib: posezoo[convert].

Under each subject's folder `D3_Positions_mono/Directions 1.54138969.cdf` (mm, camera frame) and
`D2_Positions/` of the same names (px); `Poses_` before these names, and MyPoseFeatures/ or nothing
above them, are both found. Where there is no mono, `D3_Positions/Directions 1.cdf` (mm, world) is
seen through --cameras. Universal skeletons are not read: they are not the bodies in the pictures.
The toolbox's px are taken as they are, without a half-pixel shift.
"""

from __future__ import annotations

import importlib
import re
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np

from posezoo.data.convert.cameras import Station, fitted, lens_of, read_cameras, stations_of
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.convert.source_sequence import Floats, SourceSequence, finish
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.rehearsal import rehearse
from posezoo.skeleton import SKELETONS

_LAYOUT = "a CDF file with Pose (1, F, 96), or (1, F, 64) in D2_Positions"


def read(source: Path, options: Options) -> Reading:
    """A piece for each recording of one camera.

    Raises:
        ValueError: no such files, or no cameras for those in the world's frame.
        ImportError: cdflib is not installed.
    """
    cdflib = _cdflib()
    stations = read_cameras(options, "") if options.cameras else None
    if mono := _find(source, "D3_Positions_mono"):
        pieces = []
        for path in mono:
            stem, _, view = path.stem.rpartition(".")
            lens = lens_of(stations, view) if stations else None
            name = f"{_subject(path)} {stem} {view}"
            pieces.append(Piece(name, partial(_read_mono, cdflib, path, lens, options)))
        return Reading(SKELETONS["h36m32"], pieces, mono)
    world = _find(source, "D3_Positions")
    if not world:
        raise ValueError(f"{source}: no D3_Positions_mono/*.cdf or D3_Positions/*.cdf is in it")
    stations = read_cameras(options, f"{source} has poses of the world's frame only")
    pieces = [
        Piece(
            f"{_subject(path)} {path.stem} {station.name}",
            partial(_read_world, cdflib, path, station, options),
        )
        for path in world
        for station in stations_of(stations, _subject(path))
    ]
    return Reading(SKELETONS["h36m32"], pieces, world)


def _find(source: Path, folder: str) -> list[Path]:
    return sorted([*source.rglob(f"{folder}/*.cdf"), *source.rglob(f"Poses_{folder}/*.cdf")])


def _subject(path: Path) -> str:
    names = [part for part in path.parts if re.fullmatch(r"S\d+", part)]
    if not names:
        raise ValueError(f"{path}: no folder above it names the subject (S1, S5, ...)")
    return names[-1]


def _read_mono(
    cdflib: ModuleType, path: Path, lens: Station | None, options: Options, remarks: Remarks
) -> list[PoseSequence]:
    flat = path.parents[1] / path.parent.name.replace("D3_Positions_mono", "D2_Positions")
    mm, px = _pose(cdflib, path, 3), _pose(cdflib, flat / path.name, 2)
    frames = min(len(mm), len(px))
    remarks.repaired(abs(len(mm) - len(px)), "2D and 3D of unequal length: cut to the same")
    mm, px = mm[:frames], px[:frames]
    if lens is None:
        camera, size = fitted(remarks.piece, mm, px), None
        remarks.repaired(frames, "camera with its distortion fitted to 2D and 3D")
    else:
        camera, size = lens.parameters, lens.size_px
    stem, _, view = path.stem.rpartition(".")
    return finish(_recording(path, stem, view, camera, mm, px, size), options, remarks)


def _read_world(
    cdflib: ModuleType, path: Path, station: Station, options: Options, remarks: Remarks
) -> list[PoseSequence]:
    mm = station.see(_pose(cdflib, path, 3))
    recording = _recording(
        path, path.stem, station.name, station.parameters, mm, None, station.size_px
    )
    return finish(recording, options, remarks)


def _recording(
    path: Path,
    stem: str,
    view: str,
    camera: Floats,
    mm: Floats,
    px: Floats | None,
    size: tuple[int, int] | None,
) -> SourceSequence:
    return SourceSequence(
        skeleton=SKELETONS["h36m32"],
        subject=_subject(path),
        action=re.sub(r" \d+$", "", stem),
        sequence=stem,
        view=view,
        frame=np.arange(len(mm)),
        camera=camera,
        camera_mm=mm,
        px=px,
        size_px=size,
    )


def _pose(cdflib: ModuleType, path: Path, axes: int) -> Floats:  # (F, 32, axes)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected {_LAYOUT}")

    def load() -> Floats:
        return np.asarray(cdflib.CDF(path).varget("Pose"), np.float64)

    rehearse(path, load)
    with understood(path, _LAYOUT):
        values = load()
    if values.ndim != 3 or values.shape[0] != 1 or values.shape[2] != 32 * axes:
        raise ValueError(f"{path}: Pose is {values.shape}, expected (1, F, {32 * axes}): {_LAYOUT}")
    return values.reshape(-1, 32, axes)


def _cdflib() -> ModuleType:
    try:
        return importlib.import_module("cdflib")
    except ImportError:
        raise ImportError(
            "Human3.6M's .cdf files need cdflib: pip install 'posezoo[convert]'"
        ) from None
