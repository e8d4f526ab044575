"""Joints in .npz files: posezoo's own, rtmlib's arrays as people save them, and VideoPose3D's.

posezoo: what `posezoo predict --npz` writes. rtmlib: `keypoints` (frames, people, joints, 2), or
(people, joints, 2) of one picture, and `scores`, all in px. VideoPose3D: `positions_2d` of its
`prepare_data_2d_custom.py`, {video: {"custom": [(F, J, 2)]}}; its objects are pickles, read
without being run and only on the user's word (--trust).
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from posezoo.data.convert.npz import npz_keys, open_npz
from posezoo.data.convert.recipe import understood
from posezoo.data.keypoints.fields import LARGEST, Floats, field
from posezoo.data.keypoints.joint_sets import COCO_COUNTS, HALPE_COUNTS, by_count, by_names
from posezoo.data.keypoints.keypoints import Ask, KeypointFile, KeypointFrame, pose_of
from posezoo.hints import shown
from posezoo.typed_files import Count, parse_json, typed

_MOST_JOINTS = 200
_MOST_FRAMES = 1_000_000  # nine hours of video
_MOST_PEOPLE = 100  # in one picture: more are frames, stacked in the wrong place


def read(ask: Ask) -> KeypointFile:
    """The people of every frame.

    Raises:
        ValueError: no such arrays, or numbers that are no joints.
    """
    with understood(ask.path, "a whole .npz of joints"):
        keys = set(npz_keys(ask.path))
        for key, reader in (
            ("detected2d_px", _own), ("positions_2d", _videopose3d), ("keypoints", _rtmlib),
        ):  # fmt: skip
            if key in keys:
                return reader(ask, keys)
    held = shown(", ".join(sorted(keys)), 200) or "nothing"
    raise ValueError(
        f"{ask.path}: holds {held}; expected detected2d_px "
        "(posezoo), positions_2d (VideoPose3D) or keypoints (rtmlib)"
    )


def _own(ask: Ask, _: set[str]) -> KeypointFile:
    keys = ("about", "frame", "person", "score", "box_px", "detected_joints")
    content = open_npz(ask.path, *keys, "detected2d_px", "detected_confidence", trust=False)
    for name in ("frame", "person", "score", "box_px"):
        if (found := np.asarray(content[name]).dtype).kind not in "fiu":
            raise ValueError(f"{ask.path}: {name} is of {found}, expected numbers")
    names = np.asarray(content["detected_joints"])
    if names.dtype.kind != "U" or names.ndim != 1 or len(names) > _MOST_JOINTS:
        raise ValueError(
            f"{ask.path}: detected_joints is of {names.dtype} {names.shape}, expected "
            f"{_MOST_JOINTS} names at most"
        )
    joints = by_names(names.tolist(), ask.path, ask.joints)
    count, people = len(joints.places), len(content["frame"])
    px = _checked(content["detected2d_px"], (people, count, 2), ask, missing=True)
    sure = _checked(content["detected_confidence"], (people, count), ask, missing=True)
    about = parse_json(str(content["about"]), where=f"{ask.path}: about")
    size = (field(about, "width", int, str(ask.path)), field(about, "height", int, str(ask.path)))
    frames: dict[int, list[Any]] = {}
    for row in range(people):
        pose = pose_of(
            np.column_stack([px[row], sure[row]]),
            joints,
            id=int(content["person"][row]),
            score=float(content["score"][row]),
            box_px=np.asarray(content["box_px"][row], np.float64),
        )
        frames.setdefault(int(content["frame"][row]), []).append(pose)
    last = max(frames, default=0)
    if min(frames, default=0) < 0 or last > _MOST_FRAMES:
        raise ValueError(
            f"{ask.path}: has frames {min(frames)} to {last}, expected 0 to {_MOST_FRAMES:,}"
        )
    return KeypointFile(
        tool="posezoo",
        skeleton=joints.skeleton,
        frames=tuple(
            KeypointFrame(name=str(n), people=tuple(frames.get(n, ())), size_px=size)
            for n in range(last + 1)
        ),
        video="fps" in about,
    )


def _videopose3d(ask: Ask, keys: set[str]) -> KeypointFile:
    content = open_npz(ask.path, *{"positions_2d", "metadata"} & keys, trust=ask.trust)
    where = f"{ask.path}: positions_2d"
    videos = typed(content["positions_2d"], dict[str, dict[str, list[Any]]], where=where)
    found = [
        (str(video), clip)
        for video, actions in videos.items()
        for clips in actions.values()
        for clip in clips
    ]
    if len(found) != 1:
        raise ValueError(
            f"{ask.path}: holds {len(found)} sequences, expected one; of a whole data set make a "
            "store: posezoo data convert --from videopose3d"
        )
    ((video, clip),) = found
    count = np.shape(clip)[1] if np.ndim(clip) == 3 else 0
    px = _checked(clip, (len(clip), count, 2), ask)
    metadata = typed(content.get("metadata", {}), _Metadata, where=f"{ask.path}: metadata")
    if metadata.layout_name != "coco" and ask.joints is None:
        raise ValueError(
            f"{ask.path}: its layout is '{shown(metadata.layout_name)}', of which posezoo knows no "
            "order: name the joint set by --joints"
        )
    joints = by_count(count, COCO_COUNTS, ask.path, ask.joints, "VideoPose3D")
    size = metadata.video_metadata.get(video)
    size_px = (size.w, size.h) if size else ask.size_px
    rows = np.concatenate([px, np.ones((*px.shape[:2], 1))], -1)
    return KeypointFile(
        tool="VideoPose3D",
        skeleton=joints.skeleton,
        frames=tuple(
            KeypointFrame(name=str(n), people=(pose_of(row, joints, id=0),), size_px=size_px)
            for n, row in enumerate(rows)
        ),
        video=True,
        notes=(joints.note,) if joints.note else (),
    )


class _Size(msgspec.Struct):
    w: Count
    h: Count


class _Metadata(msgspec.Struct):
    """As far as it is read."""

    layout_name: str = "coco"
    video_metadata: dict[str, _Size] = {}


def _rtmlib(ask: Ask, keys: set[str]) -> KeypointFile:
    content = open_npz(ask.path, *{"keypoints", "scores"} & keys, trust=False)
    px = content["keypoints"]
    if np.ndim(px) == 3:
        if len(px) > _MOST_PEOPLE:
            raise ValueError(
                f"{ask.path}: keypoints {np.shape(px)} would be {len(px)} people of one picture; "
                "if they are frames, save (frames, people, joints, 2)"
            )
        px = np.asarray(px)[None]
    if np.ndim(px) != 4 or px.shape[-1] != 2:
        raise ValueError(
            f"{ask.path}: keypoints {np.shape(px)}, expected (frames, people, joints, 2)"
        )
    px = _checked(px, px.shape, ask, missing=True)
    sure = np.ones(px.shape[:3])
    if "scores" in content:
        sure = np.asarray(content["scores"]).reshape(-1, *np.shape(content["scores"])[-2:])
        sure = _checked(sure, px.shape[:3], ask, missing=True)
    joints = by_count(px.shape[2], HALPE_COUNTS, ask.path, ask.joints, "rtmlib")
    rows = np.concatenate([px, sure[..., None]], -1)
    frames = tuple(
        KeypointFrame(
            name=str(n),
            people=tuple(p for p in (pose_of(row, joints) for row in rows_) if p.confidence.any()),
            size_px=ask.size_px,
        )
        for n, rows_ in enumerate(rows)
    )
    return KeypointFile(
        tool="rtmlib",
        skeleton=joints.skeleton,
        frames=frames,
        video=len(frames) > 1,
        notes=(joints.note,) if joints.note else (),
    )


def _checked(values: Any, shape: tuple[int, ...], ask: Ask, *, missing: bool = False) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.shape != shape:
        raise ValueError(
            f"{ask.path}: an array of {array.dtype} {array.shape}, expected numbers {shape}"
        )
    array = array.astype(np.float64)
    wrong = np.isinf(array) | (np.abs(array) > LARGEST) | (np.isnan(array) & (not missing))
    if wrong.any():
        raise ValueError(
            f"{ask.path}: {array[wrong][0]} among the numbers, expected px up to {LARGEST:g}"
        )
    return array
