"""The h36m/ folder of 3d-pose-baseline (Martinez et al. 2017): world poses, and cameras.h5.

`S1/MyPoses/3D_positions/Directions 1.h5` holds `3D_positions` (96, F) in mm: joint after joint, and
x, y, z within a joint. `cameras.h5` (or --cameras FILE.json) holds
`subject1/camera1/{R,T,f,c,k,p,Name}` as MATLAB wrote them, R therefore transposed.
The 3D is projected; the stacked hourglass's 2D in the same folder is detected, not true, and stays
outside. No half-pixel shift.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from posezoo.data.convert.cameras import Station, Stations, read_cameras, stations_of
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks
from posezoo.data.convert.source_sequence import SourceSequence, finish
from posezoo.data.hdf5 import member, numbers, read_hdf5
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.hints import shown
from posezoo.skeleton import SKELETONS

_LAYOUT = "S*/MyPoses/3D_positions/*.h5 with 3D_positions (96, F) mm: x, y, z of each joint"
_CAMERAS = "subject*/camera*/{R, T, f, c, k, p, Name}"
_LONGEST_NAME = 100
_SIZES = {"54138969": 1002, "60457274": 1002}  # px high; the other cameras 1000, and all wide


def read(source: Path, options: Options) -> Reading:
    """A piece for each file and camera.

    Raises:
        ValueError: not such a folder, or no cameras.
    """
    files = sorted(source.glob("S*/MyPoses/3D_positions/*.h5"))
    if not files:
        raise ValueError(f"{source}: holds no poses; expected {_LAYOUT}")
    own = source / "cameras.h5"
    if options.cameras is None and own.is_file():
        stations = _read_own(own)
    else:
        stations = read_cameras(options, f"{own} is not there")
    pieces = [
        Piece(
            f"{file.parents[2].name} {file.stem} {station.name}",
            partial(_read, file, station, options),
        )
        for file in files
        for station in stations_of(stations, file.parents[2].name)
    ]
    return Reading(SKELETONS["h36m32"], pieces, [*files, *([own] if own.is_file() else [])])


def _read(path: Path, station: Station, options: Options, remarks: Remarks) -> list[PoseSequence]:
    values = read_hdf5(path, lambda file: numbers(file, "3D_positions"), expected=_LAYOUT)
    if values.ndim != 2 or values.shape[0] != 96:
        raise ValueError(f"{path}: 3D_positions is {values.shape}, expected (96, F): {_LAYOUT}")
    world = values.astype(np.float64).T.reshape(-1, 32, 3)
    recording = SourceSequence(
        skeleton=SKELETONS["h36m32"],
        subject=path.parents[2].name,
        action=re.sub(r" \d+$", "", path.stem),
        sequence=path.stem,
        view=station.name,
        frame=np.arange(len(world)),
        camera=station.parameters,
        camera_mm=station.see(world),
        size_px=station.size_px,
    )
    return finish(recording, options, remarks)


def _read_own(path: Path) -> Stations:
    def read(file: h5py.File) -> Stations:
        return {
            subject.replace("subject", "S"): [
                _station(member(cameras, name)) for name in sorted(cameras)
            ]
            for subject in file
            for cameras in (member(file, subject),)
        }

    stations = read_hdf5(path, read, expected=_CAMERAS)
    if not stations:
        raise ValueError(f"{path}: holds no camera; expected {_CAMERAS}")
    return stations


def _station(group: h5py.Group) -> Station:
    found = {key: np.ravel(numbers(group, key)).astype(np.float64) for key in "RTfckp"}
    for key, length in {"R": 9, "T": 3, "f": 2, "c": 2, "k": 3, "p": 2}.items():
        if len(found[key]) != length or not np.isfinite(found[key]).all():
            raise ValueError(f"{key} of {shown(group.name)} is not {length} finite numbers")
    letters = np.ravel(numbers(group, "Name")).astype(np.float64)
    if len(letters) > _LONGEST_NAME or not ((letters > 0) & (letters < sys.maxunicode)).all():
        raise ValueError(f"Name of {shown(group.name)} is no name")
    name = "".join(chr(int(letter)) for letter in letters)
    return Station(
        name,
        np.concatenate([*(found[key] for key in "fckp"), [1.0]]),
        found["R"].reshape(3, 3).T.copy(),
        found["T"],
        (1000, _SIZES.get(name, 1000)),
    )
