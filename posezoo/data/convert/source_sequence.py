"""From a recording as its source has it to a clip as a store wants it, checked on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from posezoo.camera import Camera
from posezoo.data.convert.recipe import Options, Remarks
from posezoo.data.crop import inside
from posezoo.data.store.pictures import check_picture
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.units import check_body
from posezoo.hints import shown
from posezoo.joint_maps import joint_map, map_joints, map_labels
from posezoo.skeleton import Skeleton

Floats: TypeAlias = NDArray[np.float64]

LARGEST = 1e7  # mm or px of a joint, or of a focal length: 10 km
WORST_PX = 0.5  # what a store allows between 2D and projected 3D
_MOST = 0.9  # of the frames, that tell how axes point


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSequence:
    """F frames of one person by one camera, in the source's joint set; 2D, 3D or both."""

    skeleton: Skeleton
    subject: str
    action: str
    sequence: str
    view: str
    frame: NDArray[np.integer]  # (F,) of the source, rising
    camera: Floats  # (10,) or (F, 10)
    camera_mm: Floats | None = None  # (F, J, 3) mm, camera frame, absolute; NaN: unknown
    px: Floats | None = None  # (F, J, 2) px, pixel centres at integers; NaN: unknown
    visible: NDArray[np.bool_] | None = None  # (F, J); None: all that lie in the picture
    size_px: tuple[float, float] | None = None  # width, height; None: no edge
    picture: Callable[[int], Path | None] | None = None  # where the picture of row i lies
    unit: str = "mm"  # what the source's numbers must be in, for the error message


def finish(recording: SourceSequence, options: Options, remarks: Remarks) -> list[PoseSequence]:
    """Thin, check, map to the joint set that is wanted, make root-relative: one clip, or none.

    Frames are dropped that have no known joint, that have joints behind the camera, whose 2D is
    not where their 3D projects, or whose picture is missing or broken.

    Raises:
        ValueError: the recording as a whole cannot be right: another unit, or 2D and 3D that do not
            belong together.
    """
    recording = replace(recording, px=_sane(recording.px), camera_mm=_sane(recording.camera_mm))
    camera = recording.camera
    if not (np.abs(camera) <= LARGEST).all() or (camera[..., :2] <= 0).any():
        raise ValueError(
            f"{remarks.piece}: its camera has numbers that no camera has: expected focal lengths "
            "above 0 px"
        )
    again = np.flatnonzero(np.diff(recording.frame) <= 0)
    if len(again):
        raise ValueError(
            f"{remarks.piece}: frame {recording.frame[again[0] + 1]} stands twice; people in one "
            "picture need a subject each, and recordings a sequence each"
        )
    rows = np.arange(0, len(recording.frame), options.every)
    px, mm = recording.px, recording.camera_mm
    known: NDArray[np.bool_] = np.zeros((len(recording.frame), recording.skeleton.num_joints), bool)
    for numbers in (px, mm):
        if numbers is not None:
            known = known | _known(numbers)
    rows = _keep(rows, np.asarray(known[rows].any(1)), "no joint has a number", remarks)
    if mm is not None and len(rows):
        _check_unit(recording, mm[rows])
        with np.errstate(invalid="ignore"):
            behind = np.asarray((mm[rows][..., 2] <= 0).any(1))
        check_axes(remarks.piece, mm[rows], recording.skeleton)
        if behind.all():
            raise ValueError(
                f"{remarks.piece}: everybody is behind the camera (z <= 0): are the rotations "
                "world to camera, and the axes x right, y down, z forward?"
            )
        rows = _keep(rows, ~behind, "joints behind the camera", remarks)
    if mm is not None and px is not None and len(rows):
        rows = _keep(
            rows, _agrees(recording, mm, px, rows, remarks), "2D is not the 3D seen", remarks
        )
    rows, pictures = _pictures(recording, rows, options.images, remarks)
    return [_pose_sequence(recording, rows, pictures, options.joints)] if len(rows) else []


def check_axes(
    name: str,
    camera_mm: Floats,  # (F, J, 3) mm, camera frame, absolute; NaN: unknown
    skeleton: Skeleton,
) -> None:
    """Refuse people behind the camera who stand on their heads: the axes are another program's.

    Raises:
        ValueError: y points up and z backward.
    """
    with np.errstate(invalid="ignore"):
        behind = (camera_mm[..., 2] <= 0).any(1).mean() > _MOST
    if behind and upside_down(camera_mm, skeleton):
        raise ValueError(
            f"{name}: people are behind the camera and stand on their heads: y points up and z "
            "backward, as in OpenGL and Blender. Expected x right, y down, z forward: multiply y "
            "and z by -1"
        )


def upside_down(
    joints: Floats,  # (F, J, 3) camera frame
    skeleton: Skeleton,
) -> bool:
    """Whether nearly all have their ankles above their shoulders (y points down)."""
    ends = [
        [skeleton.joints.index(f"{side}_{part}") for side in ("left", "right")]
        for part in ("ankle", "shoulder")
        if f"left_{part}" in skeleton.joints
    ]
    if len(ends) < 2 or not len(joints):
        return False
    ankle, shoulder = (joints[:, each, 1].mean(1) for each in ends)
    known = np.isfinite(ankle - shoulder)
    return bool(known.any() and (ankle < shoulder)[known].mean() > _MOST)


def picture_bytes(path: Path | None, images: Path | None) -> tuple[bytes | None, str]:
    """The file of a picture, or why there is none.

    What a source names as its pictures is looked for below `images` only: nothing of the rest of
    the disk gets into a store.
    """
    if path is None:
        return None, "no picture"
    if images is not None and not (
        path.is_relative_to(images) and ".." not in path.relative_to(images).parts
    ):
        return None, "its picture's name leads out of the folder of --images"
    try:
        return path.read_bytes(), ""
    except (OSError, ValueError):  # not there, a folder, a name that no file can have
        return None, "no picture"


def _known(
    numbers: Floats,  # (..., D)
) -> NDArray[np.bool_]:  # (...)
    return np.asarray(np.isfinite(numbers).all(-1))


def _sane(
    numbers: Floats | None,  # (..., D) mm or px
) -> Floats | None:
    """The same, where a number is no place of a person's joint not known."""
    if numbers is None:
        return None
    good = (np.abs(numbers) <= LARGEST).all(-1, keepdims=True)
    return np.where(good, numbers, np.nan)


def _keep(
    rows: NDArray[np.int64], good: NDArray[np.bool_], reason: str, remarks: Remarks
) -> NDArray[np.int64]:
    remarks.dropped(int((~good).sum()), reason)
    return rows[good]


def _check_unit(recording: SourceSequence, mm: Floats) -> None:
    whole = np.isfinite(mm).all((1, 2))
    if not whole.any():
        return
    try:
        check_body(mm[whole], recording.skeleton)
    except ValueError as error:
        raise ValueError(
            f"{shown(recording.sequence)}: the 3D positions must be in {recording.unit}; read so, "
            f"{error}"
        ) from None


def _project(recording: SourceSequence, mm: Floats, rows: NDArray[np.int64]) -> Floats:
    camera = np.broadcast_to(recording.camera, (len(recording.frame), 10))[rows]
    return Camera(torch.from_numpy(camera.copy())).project(torch.from_numpy(mm)).numpy()


def _agrees(
    recording: SourceSequence, mm: Floats, px: Floats, rows: NDArray[np.int64], remarks: Remarks
) -> NDArray[np.bool_]:  # which rows' 2D is their 3D projected
    distance = np.abs(_project(recording, mm[rows], rows) - px[rows]).max(-1)
    distance = np.where(np.isfinite(distance), distance, 0).max(1)
    if np.median(distance) > WORST_PX:
        if upside_down(mm[rows], recording.skeleton):
            raise ValueError(
                f"{remarks.piece}: its 3D does not project onto its 2D, and people stand on their "
                "heads: y points up. Expected x right, y down, z forward: multiply y by -1"
            )
        raise ValueError(
            f"{remarks.piece}: its 3D projects {np.median(distance):.4g} px (median) away from its "
            f"2D, expected {WORST_PX} at most: are cameras and frames those of the pictures? "
            "Detected 2D is not truth: leave it away, and the 3D is projected (posezoo data "
            "detections adds it)"
        )
    return distance <= WORST_PX


def _pictures(
    recording: SourceSequence, rows: NDArray[np.int64], images: Path | None, remarks: Remarks
) -> tuple[NDArray[np.int64], list[bytes] | None]:
    if recording.picture is None:
        return rows, None
    pictures, good, reasons = [], [], []
    sizes = np.broadcast_to(recording.size_px or (0, 0), (len(recording.frame), 2))
    for row in rows.tolist():
        path, wanted = recording.picture(row), tuple(int(side) for side in sizes[row])
        data, reason = picture_bytes(path, images)
        if data is not None:
            try:
                found = check_picture(data)
                if wanted[0] and found != wanted:
                    reason = f"a picture of {found} px where the source says {wanted}"
            except ValueError as error:
                reason = f"its picture {error}"
        good.append(not reason)
        if reason or data is None:
            reasons.append(reason)
        else:
            pictures.append(data)
    for reason in sorted(set(reasons)):
        remarks.dropped(reasons.count(reason), reason)
    return rows[np.array(good, bool)], pictures


def _pose_sequence(
    recording: SourceSequence,
    rows: NDArray[np.int64],
    pictures: list[bytes] | None,
    target: Skeleton,
) -> PoseSequence:
    source, count = recording.skeleton, len(rows)
    labelled2d = labelled3d = np.zeros((count, target.num_joints), bool)
    px, mm = np.zeros((count, target.num_joints, 2)), np.zeros((count, target.num_joints, 3))
    root = np.zeros((count, 3))
    if recording.camera_mm is not None:
        absolute, _ = map_joints(recording.camera_mm[rows], source, target)
        labelled3d = map_labels(_known(recording.camera_mm[rows]), source, target)
        # Without its root a pose has no place in a store: what hangs on it is not known either.
        labelled3d = labelled3d & labelled3d[:, target.root : target.root + 1]
        absolute = np.where(labelled3d[..., None], absolute, 0)
        root = absolute[:, target.root]
        mm = np.where(labelled3d[..., None], absolute - root[:, None], 0)
        seen = _project(recording, np.where(labelled3d[..., None], absolute, [0, 0, 1.0]), rows)
    if recording.px is None:
        px, labelled2d = seen, labelled3d
    else:
        px, _ = map_joints(recording.px[rows], source, target)
        labelled2d = map_labels(_known(recording.px[rows]), source, target)
        if recording.camera_mm is not None:
            # The middle of two joints in 2D is not the middle in 3D seen from there.
            rules = joint_map(source, target).rules
            between = np.array([len(rule.sources) > 1 for rule in rules])
            px = np.where((between & labelled3d)[..., None], seen, px)
    px = np.where(labelled2d[..., None], px, 0)
    visible = labelled2d
    if recording.visible is not None:
        visible = visible & map_labels(recording.visible[rows], source, target)
    if recording.size_px is not None:
        sizes = np.broadcast_to(
            np.asarray(recording.size_px, np.float64), (len(recording.frame), 2)
        )[rows]
        visible = visible & inside(torch.from_numpy(px), torch.from_numpy(sizes)).numpy()
    return PoseSequence(
        joints2d_px=px,
        joints3d_mm=mm,
        root_mm=root,
        labelled2d=labelled2d,
        labelled3d=labelled3d,
        visible=visible,
        camera=recording.camera if recording.camera.ndim == 1 else recording.camera[rows],
        subject=recording.subject,
        action=recording.action,
        sequence=recording.sequence,
        view=recording.view,
        frame=np.asarray(recording.frame)[rows],
        pictures=pictures,
    )
