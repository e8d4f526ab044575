"""mmpose: `h36m_train.npz` or `h36m_test.npz` of annotation_body3d, pictures by --images.

`imgname` (N,), `part` (N, 17, 3) px and whether it is there, `S` (N, 17, 4) metres in the camera's
frame and whether it is there. The camera is fitted to 2D and 3D of each recording, or comes by
--cameras (JSON, or mmpose's own cameras.pkl with --trust). The npz is read one recording at
a time from where it lies. No half-pixel shift.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from posezoo.data.convert.cameras import Stations, fitted, lens_of, read_cameras
from posezoo.data.convert.npz import open_npz
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.convert.source_sequence import SourceSequence, finish
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.hints import shown
from posezoo.skeleton import H36M17

_LAYOUT = "imgname (N,), part (N, 17, 3) px, S (N, 17, 4) metres in the camera's frame"
_NAME = re.compile(r"(S\d+)_(.+)\.(\w+)_(\d+)\.\w+")


def read(source: Path, options: Options) -> Reading:
    """A piece for each recording.

    Raises:
        ValueError: no such file, or picture names that say nothing.
    """
    with understood(source, _LAYOUT):
        columns = open_npz(source, "imgname", "part", "S", trust=options.trust)
    count = np.size(columns["imgname"])
    shapes = {"imgname": (count,), "part": (count, 17, 3), "S": (count, 17, 4)}
    for key, shape in shapes.items():
        if np.shape(columns[key]) != shape:
            found = np.shape(columns[key])
            raise ValueError(f"{source}: {key} is {found}, expected {shape}: {_LAYOUT}")
        if np.asarray(columns[key]).dtype.kind not in ("U" if key == "imgname" else "fiu"):
            raise ValueError(f"{source}: {key} is of {columns[key].dtype}: expected {_LAYOUT}")
    stations = read_cameras(options, "") if options.cameras else None
    names = np.asarray(columns["imgname"])
    recordings: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    nameless = [str(name) for name in names if not _NAME.fullmatch(PurePosixPath(str(name)).name)]
    if len(nameless) == count:
        raise ValueError(
            f"{source}: imgname {shown(nameless[0] if nameless else '')} does not tell subject, "
            "action, camera and frame; expected names like "
            "S1/S1_Walking_1.54138969/S1_Walking_1.54138969_000001.jpg"
        )
    for row, name in enumerate(names):
        match = _NAME.fullmatch(PurePosixPath(str(name)).name)
        if not match:
            continue
        subject, sequence, view, frame = match.groups()
        recordings.setdefault((subject, sequence, view), []).append((int(frame), row))
    pieces = [
        Piece(" ".join(key), partial(_read, key, sorted(rows), columns, stations, options))
        for key, rows in recordings.items()
    ]

    def without_names(remarks: Remarks) -> list[PoseSequence]:
        remarks.dropped(len(nameless), "imgname does not tell subject, action, camera and frame")
        return []

    return Reading(H36M17, [*pieces, Piece("without names", without_names)], [source])


def _read(
    key: tuple[str, str, str],
    order: list[tuple[int, int]],
    columns: dict[str, Any],
    stations: Stations | None,
    options: Options,
    remarks: Remarks,
) -> list[PoseSequence]:
    frame, rows = np.array(order).T
    subject, sequence, view = key
    part, points = columns["part"][rows].astype(float), columns["S"][rows].astype(float)
    px = np.where(part[..., 2:] > 0, part[..., :2], np.nan)
    mm = np.where(points[..., 3:] > 0, points[..., :3] * 1000, np.nan)
    if stations is None:
        camera, size = fitted(remarks.piece, mm, px), None
        remarks.repaired(len(rows), "camera with its distortion fitted to 2D and 3D")
    else:
        station = lens_of(stations, view)
        camera, size = station.parameters, station.size_px
    images = options.images
    names = columns["imgname"][rows]
    recording = SourceSequence(
        skeleton=H36M17,
        subject=subject,
        action=re.sub(r"_\d+$", "", sequence),
        sequence=sequence,
        view=view,
        frame=frame,
        camera=camera,
        camera_mm=mm,
        px=px,
        size_px=size,
        picture=None if images is None else lambda row: images / str(names[row]),
        unit="metres",
    )
    return finish(recording, options, remarks)
