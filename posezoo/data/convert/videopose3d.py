"""VideoPose3D: `data_3d_h36m.npz` (metres, world), and `data_2d_h36m_gt.npz` beside it if wanted.

`data_3d_humaneva15.npz` too: its people are "Train/S1" and "Validate/S1", the same person after and
before a certain frame, here "S1 Train" and "S1 Validate" (--val "S1 Validate/S2 Validate/..."), and
its recordings are chunks without a gap, "Walking 1 chunk0".

SRC is the 3D file, or a folder that holds `data_3d_*.npz` and perhaps `data_2d_*_gt.npz`. The
cameras are in VideoPose3D's code, not in its files, so they come by --cameras: per subject in the
order of the 2D lists. Without 2D, the 3D is projected. The 2D carries no half-pixel shift.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.convert.cameras import Station, read_cameras, stations_of
from posezoo.data.convert.npz import open_npz
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.convert.source_sequence import SourceSequence, finish
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.skeleton import SKELETONS

_LAYOUT = "positions_3d: {subject: {action: (F, 32, 17 or 15, 3) metres, world}}"
_LAYOUT_2D = "positions_2d: {subject: {action: [(F, 32, 17 or 15, 2) px for each camera]}}"
_SETS = {32: SKELETONS["h36m32"], 17: SKELETONS["h36m17"], 15: SKELETONS["humaneva15"]}


def read(source: Path, options: Options) -> Reading:
    """A piece for each subject, action and camera.

    Raises:
        ValueError: not such files, or no cameras.
    """
    file3d, file2d = _files(source)
    stations = read_cameras(options, "VideoPose3D's files have no cameras")
    with understood(file3d, _LAYOUT):
        poses = open_npz(file3d, "positions_3d", trust=options.trust)["positions_3d"]
        shapes = {np.shape(each)[1:] for actions in poses.values() for each in actions.values()}
    if len(shapes) != 1 or (shape := shapes.pop()) not in [(joints, 3) for joints in _SETS]:
        raise ValueError(f"{file3d}: holds poses of {shapes or shape}; expected {_LAYOUT}")
    pixels = None
    if file2d:
        with understood(file2d, _LAYOUT_2D):
            pixels = open_npz(file2d, "positions_2d", trust=options.trust)["positions_2d"]
    pieces = [
        Piece(
            f"{subject} {action} {station.name}",
            partial(_read, subject, action, poses, station, (pixels, place, file2d), options),
        )
        for subject, actions in poses.items()
        for action in actions
        for place, station in enumerate(stations_of(stations, subject.rsplit("/")[-1]))
    ]
    return Reading(_SETS[shape[0]], pieces, [file for file in (file3d, file2d) if file])


def _files(source: Path) -> tuple[Path, Path | None]:
    if not source.is_dir():
        return source, None
    found3d, found2d = sorted(source.glob("data_3d_*.npz")), sorted(source.glob("data_2d_*_gt.npz"))
    if len(found3d) != 1 or len(found2d) > 1:
        names = [path.name for path in found3d + found2d]
        raise ValueError(
            f"{source}: expected one data_3d_*.npz and at most one data_2d_*_gt.npz, found "
            f"{names}; name the 3D file itself to have it projected"
        )
    return found3d[0], found2d[0] if found2d else None


def _read(
    subject: str,
    action: str,
    poses: dict[str, dict[str, Any]],
    station: Station,
    seen: tuple[dict[str, dict[str, Any]] | None, int, Path | None],
    options: Options,
    remarks: Remarks,
) -> list[PoseSequence]:
    world = np.asarray(poses[subject][action], np.float64) * 1000
    pixels, place, file2d = seen
    px = None
    if pixels is not None and file2d is not None:
        with understood(file2d, _LAYOUT_2D):
            px = np.asarray(pixels[subject][action][place], np.float64)
        joints = world.shape[1]
        if px.ndim == 3 and px.shape[1] == 17 and joints == 32:
            world = world[:, _h36m17()]
            joints = 17
        if px.shape[1:] != (joints, 2):
            raise ValueError(
                f"{file2d}: {subject} {action} is {px.shape}, expected (F, {joints}, 2)"
            )
        frames = min(len(px), len(world))
        remarks.repaired(abs(len(px) - len(world)), "2D and 3D of unequal length: cut to the same")
        px, world = px[:frames], world[:frames]
    recording = SourceSequence(
        skeleton=_SETS[world.shape[1]],
        subject=person_name(subject),
        action=re.sub(r"( \d+)?( chunk\d+)?$", "", action),
        sequence=action,
        view=station.name,
        frame=np.arange(len(world)),
        camera=station.parameters,
        camera_mm=station.see(world),
        px=px,
        size_px=station.size_px,
        unit="metres",
    )
    return finish(recording, options, remarks)


def person_name(subject: str) -> str:
    """HumanEva's "Train/S1" is "S1 Train" here: a "/" stands between people, not in them."""
    return " ".join(reversed(subject.split("/")))


def _h36m17() -> list[int]:
    whole = SKELETONS["h36m32"].joints
    return [whole.index(joint) for joint in SKELETONS["h36m17"].joints]
