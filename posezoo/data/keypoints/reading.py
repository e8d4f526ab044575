"""A file of 2D joints, or a folder of them, whoever wrote it: told by its own structure."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from posezoo.data.keypoints import (
    arrays,
    coco,
    deeplabcut,
    mediapipe,
    openpose,
    own,
    results_list,
    rtmlib,
    ultralytics,
)
from posezoo.data.keypoints.fields import keys_of, load_json, shown
from posezoo.data.keypoints.keypoints import Ask, KeypointFile
from posezoo.skeleton import WHOLE_BODIES, get_skeleton

# In this order: the first whose structure fits reads the file.
_JSON: tuple[ModuleType, ...] = (
    own, coco, results_list, openpose, ultralytics, rtmlib, mediapipe,
)  # fmt: skip
_KNOWN = (
    "COCO, OpenPose, AlphaPose or Halpe, MediaPipe, Ultralytics, rtmlib or MMPose (.json), "
    "DeepLabCut (.csv), rtmlib, VideoPose3D or posezoo (.npz)"
)


@np.errstate(all="ignore")  # numbers of a file may be anything; what they are is checked
def read_keypoints(
    path: str | Path,
    *,
    joints: str | None = None,
    size_px: tuple[int, int] | None = None,
    trust: bool = False,
) -> KeypointFile:
    """Read 2D joints.

    Args:
        path: a file; or a folder of OpenPose's JSON or Ultralytics' labels, one a picture.
        joints: the joint set of the file, where it does not tell it itself.
        size_px: width and height of its pictures, where it does not tell them itself.
        trust: read the objects of an .npz of VideoPose3D; nothing in them is run.

    Raises:
        ValueError: no such file, one of no known tool, or one that is not as it should be; one
            line that names the place.
    """
    path = Path(path)
    name = WHOLE_BODIES[joints][1] if joints in WHOLE_BODIES else joints
    skeleton = None if name is None else get_skeleton(name)
    ask = Ask(path=path, joints=skeleton, size_px=size_px, trust=trust)
    if path.is_dir():
        return _folder(ask)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    match path.suffix.lower():
        case ".json":
            return _json(ask)
        case ".csv":
            return deeplabcut.read(ask)
        case ".npz":
            return arrays.read(ask)
        case ".txt":
            return ultralytics.read_labels([path], ask)
    raise ValueError(f"{path}: not a file of joints; expected one of {_KNOWN}")


def _json(ask: Ask) -> KeypointFile:
    content = load_json(ask.path)
    for reader in _JSON:
        if reader.matches(content):
            found: KeypointFile = reader.read(content, ask)
            return found
    keys = keys_of(content) if isinstance(content, dict) else shown(content)
    raise ValueError(
        f"{ask.path}: its content ({keys or 'an empty object'}) is of no tool that is known; "
        f"expected {_KNOWN}"
    )


def _folder(ask: Ask) -> KeypointFile:
    files = sorted(each for each in ask.path.iterdir() if not each.name.startswith("."))
    for ending, read in ((".json", openpose.read_folder), (".txt", ultralytics.read_labels)):
        if mine := [each for each in files if each.suffix.lower() == ending and each.is_file()]:
            return read(mine, ask)
    raise ValueError(
        f"{ask.path}: holds {len(files)} files, none of them .json (OpenPose) or .txt "
        "(Ultralytics labels); or name one file"
    )
