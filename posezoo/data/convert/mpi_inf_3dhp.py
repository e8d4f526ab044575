"""MPI-INF-3DHP: `S1/Seq1/annot.mat` (MATLAB 5) and `TS1/annot_data.mat` (7.3). Needs scipy.

Training: cells `annot2`, `annot3` (one per camera) of (F, 56) px and (F, 84) mm, camera frame, 28
joints; lenses in `camera.calibration` beside it; pictures, where the videos were taken apart, as
`imageFrames/video_0/frame_000001.jpg`. Test: `annot2` (F, 1, 17, 2), `annot3` (F, 1, 17, 3), in
`valid_frame` which count; pictures `imageSequence/img_000001.jpg`; its lens is fitted. The
positions of `annot3` are the true ones, `univ_annot3` (another scale) is left. px as they are.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.convert.cameras import fitted
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.convert.source_sequence import Floats, SourceSequence, finish
from posezoo.data.hdf5 import numbers, read_hdf5
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.text_file import read_text
from posezoo.rehearsal import rehearse
from posezoo.skeleton import SKELETONS

_TRAIN = "annot2, annot3: a cell for each camera of (F, 56) px and (F, 84) mm"
_TEST = "annot2 (F, 1, 17, 2) px, annot3 (F, 1, 17, 3) mm, valid_frame (F,)"


def read(source: Path, options: Options) -> Reading:
    """A piece for each camera of a training sequence and for each test sequence.

    All training, or all test: their joint sets differ (28 and 17).

    Raises:
        ValueError: no such folder, or both halves in one.
    """
    train = sorted(source.rglob("S*/Seq*/annot.mat"))
    test = sorted(source.rglob("TS*/annot_data.mat"))
    if bool(train) == bool(test):
        found = "both" if train else "neither"
        raise ValueError(
            f"{source}: holds {found} of S*/Seq*/annot.mat and TS*/annot_data.mat; convert the "
            "training and the test half one at a time"
        )
    if test:
        pieces = [Piece(path.parent.name, partial(_read_test, path, options)) for path in test]
        return Reading(SKELETONS["3dhp17"], pieces, test)
    pieces = []
    for path in train:
        cameras = len(_annotation(path)["annot2"])
        lenses = _lenses(path.with_name("camera.calibration"))
        recording = f"{path.parents[1].name} {path.parent.name}"
        pieces += [
            Piece(f"{recording} {number}", partial(_read_train, path, number, lenses, options))
            for number in range(cameras)
        ]
    return Reading(SKELETONS["3dhp28"], pieces, train)


def _read_train(
    path: Path,
    number: int,
    lenses: dict[int, tuple[Floats, tuple[float, float]]],
    options: Options,
    remarks: Remarks,
) -> list[PoseSequence]:
    content = _annotation(path)
    with understood(path, _TRAIN):
        px, mm = (np.asarray(content[key][number][0], np.float64) for key in ("annot2", "annot3"))
    if px.ndim != 2 or px.shape[1] != 56 or mm.shape != (len(px), 84):
        raise ValueError(
            f"{path}: camera {number} has {px.shape} and {mm.shape}; expected {_TRAIN}"
        )
    px, mm = px.reshape(-1, 28, 2), mm.reshape(-1, 28, 3)
    camera, size = lenses.get(number, (None, None))
    folder = path.parent / "imageFrames" / f"video_{number}"
    sequence, subject = path.parent.name, path.parents[1].name
    return _finish(
        "3dhp28",
        (subject, sequence, f"{subject}-{sequence}-{number}"),
        (px, mm, camera, size),
        (lambda row: folder / f"frame_{row + 1:06d}.jpg") if folder.is_dir() else None,
        np.arange(len(px)),
        options,
        remarks,
    )


def _read_test(path: Path, options: Options, remarks: Remarks) -> list[PoseSequence]:
    px, mm, valid = read_hdf5(
        path,
        lambda file: [numbers(file, key) for key in ("annot2", "annot3", "valid_frame")],
        expected=_TEST,
    )
    px, mm, valid = px.astype(np.float64), mm.astype(np.float64), np.ravel(valid) != 0
    if px.shape[1:] != (1, 17, 2) or mm.shape[1:] != (1, 17, 3) or len(valid) != len(px):
        raise ValueError(f"{path}: has {px.shape}, {mm.shape}, {valid.shape}; expected {_TEST}")
    frame = np.flatnonzero(valid)
    remarks.dropped(int((~valid).sum()), "not a valid frame, as the data set itself says")
    if not len(frame):
        return []
    folder = path.parent / "imageSequence"
    name = path.parent.name
    return _finish(
        "3dhp17",
        (name, name, name),
        (px[frame, 0], mm[frame, 0], None, None),
        (lambda row: folder / f"img_{frame[row] + 1:06d}.jpg") if folder.is_dir() else None,
        frame,
        options,
        remarks,
    )


def _finish(
    joints: str,
    names: tuple[str, str, str],  # subject, sequence, view
    numbers: tuple[Floats, Floats, Floats | None, tuple[float, float] | None],
    picture: Callable[[int], Path] | None,
    frame: np.ndarray,
    options: Options,
    remarks: Remarks,
) -> list[PoseSequence]:
    px, mm, camera, size = numbers
    if camera is None:
        camera = fitted(remarks.piece, mm, px)
        remarks.repaired(len(px), "camera fitted to 2D and 3D")
    subject, sequence, view = names
    recording = SourceSequence(
        skeleton=SKELETONS[joints],
        subject=subject,
        action=sequence,  # the data set names no actions
        sequence=sequence,
        view=view,
        frame=frame,
        camera=camera,
        camera_mm=mm,
        px=px,
        size_px=size,
        picture=picture,
    )
    return finish(recording, options, remarks)


def _annotation(path: Path) -> dict[str, Any]:
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)  # the cameras of one file come one after another
def _load(path: Path, _changed_ns: int) -> dict[str, Any]:
    try:
        loadmat = importlib.import_module("scipy.io").loadmat
    except ImportError:
        raise ImportError("annot.mat needs scipy: pip install 'posezoo[convert]'") from None

    def load() -> dict[str, Any]:
        content: dict[str, Any] = loadmat(path, variable_names=["annot2", "annot3"])
        return content

    rehearse(path, load)
    with understood(path, _TRAIN):
        content = load()
        if len(content["annot2"]) != len(content["annot3"]):
            raise ValueError("2D and 3D have unequal numbers of cameras")
    return content


def _lenses(path: Path) -> dict[int, tuple[Floats, tuple[float, float]]]:
    """Pinhole parameters and picture size by camera number; empty without the file."""
    if not path.is_file():
        return {}
    lenses: dict[int, tuple[Floats, tuple[float, float]]] = {}
    number, size = -1, (0.0, 0.0)
    with understood(path, "lines name, size, intrinsic for each camera"):
        for line in read_text(path).splitlines():
            word, *values = line.split() or [""]
            if word == "name":
                number = int(values[0])
            elif word == "size":
                size = float(values[0]), float(values[1])
            elif word == "intrinsic":
                matrix = np.array(values, np.float64).reshape(4, 4)
                fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
                lenses[number] = np.array([fx, fy, cx, cy, 0, 0, 0, 0, 0, 1.0]), size
    return lenses
