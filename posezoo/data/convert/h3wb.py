"""H3WB: `h3wb_train.npz`, Human3.6M with 133 joints; of them the body's 23 are taken.

`train_data` is {subject: {action: {frame_id, camera: {camera_3d, pose_2d}}}}: mm in the camera's
frame and px, (F, 133, 3) and (F, 133, 2), perhaps with an axis of length 1. Objects, so with
--trust. The lens is fitted, or comes by --cameras; then the 3D is projected where `pose_2d` is not
its projection. Pictures by --images: `S1/Images/Directions.54138969/frame_123.jpg`. The older JSON
has no camera, and 3D about an origin of its own: it cannot become a store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posezoo.camera import Camera
from posezoo.data.convert.cameras import Stations, fitted, lens_of, read_cameras
from posezoo.data.convert.npz import open_npz
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood, whole_numbers
from posezoo.data.convert.source_sequence import WORST_PX, SourceSequence, finish
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.skeleton import WHOLE_BODIES, get_skeleton

_LAYOUT = (
    "train_data: {subject: {action: {frame_id (F,), camera: {camera_3d (F, 133, 3) mm, "
    "pose_2d (F, 133, 2) px}}}}"
)
_WHOLE, _BODY = WHOLE_BODIES["coco_wholebody133"]


def read(source: Path, options: Options) -> Reading:
    """A piece for each subject, action and camera.

    Raises:
        ValueError: no such file.
    """
    if source.suffix.lower() == ".json":
        raise ValueError(
            f"{source}: H3WB's JSON has no cameras and 3D about an origin of its own; take "
            "h3wb_train.npz, which its authors recommend"
        )
    stations = read_cameras(options, "") if options.cameras else None
    with understood(source, _LAYOUT):
        people = open_npz(source, "train_data", trust=options.trust)["train_data"]
        pieces = [
            Piece(
                f"{subject} {action} {view}",
                partial(_read, source, (subject, action, view), content, stations, options),
            )
            for subject, actions in people.items()
            for action, content in actions.items()
            for view, each in content.items()
            if isinstance(each, Mapping) and "camera_3d" in each
        ]
    return Reading(get_skeleton(_BODY), pieces, [source])


def _read(
    source: Path,
    names: tuple[str, str, str],  # subject, action, view
    content: dict[str, Any],
    stations: Stations | None,
    options: Options,
    remarks: Remarks,
) -> list[PoseSequence]:
    subject, action, view = names
    skeleton = get_skeleton(_BODY)
    with understood(source, _LAYOUT):
        frame = whole_numbers(np.ravel(content["frame_id"]))
        mm, px = (
            np.asarray(content[view][key], np.float64).reshape(len(frame), _WHOLE, axes)
            for key, axes in (("camera_3d", 3), ("pose_2d", 2))
        )
    mm, px = mm[:, : skeleton.num_joints], px[:, : skeleton.num_joints]
    true: np.ndarray | None = px
    if stations is None:
        camera, size = fitted(remarks.piece, mm, px), None
        remarks.repaired(len(frame), "camera fitted to 2D and 3D")
    else:
        station = lens_of(stations, view)
        camera, size = station.parameters, station.size_px
        lens = Camera(torch.from_numpy(np.broadcast_to(camera, (len(frame), 10)).copy()))
        off = np.abs(lens.project(torch.from_numpy(mm)).numpy() - px).max((1, 2))
        if not np.median(off) <= WORST_PX:
            true = None
            remarks.repaired(len(frame), "pose_2d is not where the 3D is seen: the 3D is projected")
    folder = None
    if options.images is not None:
        folder = options.images / subject / "Images" / f"{action}.{view}"
    recording = SourceSequence(
        skeleton=skeleton,
        subject=subject,
        action=re.sub(r"[ _]\d+$", "", action),
        sequence=action,
        view=view,
        frame=frame,
        camera=camera,
        camera_mm=mm,
        px=true,
        size_px=size,
        picture=None if folder is None else partial(_picture, folder, frame),
    )
    return finish(recording, options, remarks)


def _picture(folder: Path, frame: np.ndarray, row: int) -> Path:
    return folder / f"frame_{frame[row]}.jpg"
