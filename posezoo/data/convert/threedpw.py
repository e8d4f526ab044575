"""3DPW: `sequenceFiles/*/*.pkl`, bare pickles of Python 2, so only with --trust.

SRC is one file or a folder of them: convert a split at a time. `jointPositions` (F, 72) are SMPL's
24 joints in metres in the world, `cam_poses` (F, 4, 4) take the world to the camera, which moves,
`cam_intrinsics` (3, 3) is its lens without distortion. Each of the people is a subject of their
own, since the data set does not say who they are. Frames whose `campose_valid` is 0 are dropped.
Pictures by --images: `SEQUENCE/image_00000.jpg`. `poses2d` is OpenPose's: detections (`posezoo data
detections --from 3dpw`).
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.convert.cameras import check_trust
from posezoo.data.convert.plain_pickle import load_plain
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.convert.source_sequence import SourceSequence, finish
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.skeleton import SKELETONS

_LAYOUT = (
    "sequence, jointPositions [(F, 72) metres], cam_poses (F, 4, 4), cam_intrinsics (3, 3), "
    "campose_valid [(F,)]"
)


def read(source: Path, options: Options) -> Reading:
    """A piece for each file.

    Raises:
        ValueError: not trusted, or no such file.
    """
    files = sequence_files(source)
    check_trust(files[0], options)
    pieces = [Piece(file.stem, partial(_read, file, options)) for file in files]
    return Reading(SKELETONS["smpl24"], pieces, files)


def sequence_files(source: Path) -> list[Path]:
    """The file itself, or every .pkl below a folder.

    Raises:
        ValueError: the folder has none.
    """
    files = sorted(source.rglob("*.pkl")) if source.is_dir() else [source]
    if not files:
        raise ValueError(f"{source}: holds no .pkl; expected 3DPW's sequenceFiles/train or like it")
    return files


def load_sequence(path: Path, layout: str, *keys: str) -> dict[str, Any]:
    """What a file holds under these keys, and its name as `sequence`.

    Raises:
        ValueError: it is no such file.
    """
    with understood(path, layout):
        with path.open("rb") as stream:
            content = load_plain(stream, path.stat().st_size)
        if not isinstance(content["sequence"], str) or not content["sequence"].isprintable():
            raise ValueError("sequence is no name")
        return {key: content[key] for key in ("sequence", *keys)}


def person_name(sequence: str, number: int) -> str:
    """What somebody is called of whom only the recording is known."""
    return f"{sequence} {number}"


def _read(path: Path, options: Options, remarks: Remarks) -> list[PoseSequence]:
    content = load_sequence(
        path, _LAYOUT, "jointPositions", "cam_poses", "cam_intrinsics", "campose_valid"
    )
    with understood(path, _LAYOUT):
        name = str(content["sequence"])
        poses = np.asarray(content["cam_poses"], np.float64)
        lens = np.asarray(content["cam_intrinsics"], np.float64)
        people = [np.asarray(each, np.float64) for each in content["jointPositions"]]
        valid = [np.ravel(each) != 0 for each in content["campose_valid"]]
        count = len(poses)
        shapes = {poses.shape, lens.shape, *(p.shape for p in people), *(v.shape for v in valid)}
        if len(people) != len(valid) or not shapes <= {
            (count, 4, 4),
            (3, 3),
            (count, 72),
            (count,),
        }:
            raise ValueError(f"has arrays of {', '.join(map(str, sorted(shapes)))}")
    size = None if options.images else (round(2 * lens[0, 2]), round(2 * lens[1, 2]))
    folder = None if options.images is None else options.images / name
    clips = []
    for number, (joints, good) in enumerate(zip(people, valid, strict=True)):
        remarks.dropped(int((~good).sum()), "no valid camera pose, as the data set itself says")
        frame = np.flatnonzero(good)
        world = joints[frame].reshape(-1, 24, 3)
        turn, shift = poses[frame, :3, :3], poses[frame, None, :3, 3]
        recording = SourceSequence(
            skeleton=SKELETONS["smpl24"],
            subject=person_name(name, number),
            action=re.sub(r"_\d+$", "", name),
            sequence=name,
            view="",
            frame=frame,
            camera=np.array(
                [lens[0, 0], lens[1, 1], lens[0, 2], lens[1, 2], 0, 0, 0, 0, 0, 2], np.float64
            ),
            camera_mm=1000 * (world @ turn.transpose(0, 2, 1) + shift),
            size_px=size,
            picture=None if folder is None else partial(_picture, folder, frame),
            unit="metres",
        )
        clips += finish(recording, options, remarks) if len(frame) else []
    return clips


def _picture(folder: Path, frame: np.ndarray, row: int) -> Path:
    return folder / f"image_{frame[row]:05d}.jpg"
