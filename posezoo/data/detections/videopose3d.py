"""VideoPose3D's `data_2d_*.npz` of any detector: {subject: {action: [(F, K, 2) for each camera]}}.

Which joints they are is told by `metadata`, by its pairs of left and right: CPN's and Detectron's
files have those of Human3.6M or COCO, the stacked hourglass's have MPII's 16. A third column is
confidence; these files have none. Frame i is frame i of the recording. Objects: with trust only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from posezoo.data.convert.npz import npz_keys, open_npz
from posezoo.data.convert.recipe import understood
from posezoo.data.convert.videopose3d import person_name
from posezoo.data.detections.source import UNSURE, Ask, DetectedSequence, DetectionSource, found
from posezoo.hints import shown
from posezoo.skeleton import SKELETONS, Skeleton

_LAYOUT = "positions_2d: {subject: {action: [(F, K, 2) px for each camera]}}, metadata"
_KNOWN = ("h36m17", "coco17", "mpii16", "humaneva15")  # what VideoPose3D's data_utils.py knows


def read(ask: Ask) -> DetectionSource:
    """Every recording of the file.

    Raises:
        ValueError: no such file, or joints of no known set.
    """
    with understood(ask.path, _LAYOUT):
        keys = {"positions_2d", "metadata"} & {*npz_keys(ask.path)}
        content = open_npz(ask.path, *{"positions_2d", *keys}, trust=ask.trust)
        clips = [
            (person_name(str(subject)), str(action), place, np.asarray(clip))
            for subject, actions in content["positions_2d"].items()
            for action, views in actions.items()
            for place, clip in enumerate(views)
        ]
        if any(clip.dtype.kind not in "fiu" for *_, clip in clips):
            raise ValueError("holds recordings that are no numbers")
        shapes = {clip.shape[1:] for *_, clip in clips}
        if len(shapes) != 1 or (shape := shapes.pop())[1:] not in ((2,), (3,)):
            raise ValueError(f"holds recordings of {sorted(map(str, shapes)) or 'other shapes'}")
        views = {len(views) for each in content["positions_2d"].values() for views in each.values()}
        skeleton = ask.joints or _joints(content.get("metadata"), shape[0])
    if skeleton.num_joints != shape[0]:
        raise ValueError(
            f"{ask.path}: has {shape[0]} joints a person, {skeleton.name} has {skeleton.num_joints}"
        )
    if len(views) != 1:
        raise ValueError(
            f"{ask.path}: has recordings by {', '.join(map(str, sorted(views)))} cameras, expected "
            "the same number in each"
        )
    notes = [UNSURE] if shape[1] == 2 else []
    return DetectionSource(
        skeleton=skeleton,
        sequences=_sequences(clips),
        files=(ask.path,),
        views=views.pop(),
        notes=tuple(notes),
    )


def _sequences(clips: list[tuple[str, str, int, np.ndarray]]) -> Iterator[DetectedSequence]:
    for subject, action, place, clip in clips:
        rows = clip[:, None].astype(np.float64)
        px, sure = found(rows[..., :2], rows[..., 2] if rows.shape[-1] > 2 else None)
        yield DetectedSequence(subject=subject, sequence=action, view=place, px=px, confidence=sure)


def _joints(metadata: Any, count: int) -> Skeleton:
    """The set with as many joints and the same left and right ones."""
    pairs = metadata["keypoints_symmetry"] if metadata else ((), ())
    said = [tuple(int(joint) for joint in side) for side in pairs]
    for name in _KNOWN:
        skeleton = SKELETONS[name]
        if skeleton.num_joints == count and said == _sides(skeleton):
            return skeleton
    raise ValueError(
        f"its {count} joints with left and right {shown(said)} are of no set that is known "
        f"({', '.join(_KNOWN)}); name it by --joints"
    )


def _sides(skeleton: Skeleton) -> list[tuple[int, ...]]:
    return [
        tuple(place for place, name in enumerate(skeleton.joints) if name.startswith(side))
        for side in ("left_", "right_")
    ]
