"""EvoSkeleton's HRNet detections on Human3.6M, `twoDPose_HRN_train.npy` and `..._test.npy`.

An object array with one dict, so with trust only: (9, "Directions", "Directions 1.54138969.h5") ->
(F, 64), x and y px of Human3.6M's 32 joints in turn, of which the 17 that move are found. SRC is
one of the files, or their folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from posezoo.data.convert.npz import open_npy
from posezoo.data.convert.recipe import understood
from posezoo.data.detections.source import UNSURE, Ask, DetectedSequence, DetectionSource, found
from posezoo.skeleton import H36M17, SKELETONS

_LAYOUT = '{(subject, action, "Directions 1.54138969.h5"): (F, 64) px of 32 joints}'
_WHOLE = SKELETONS["h36m32"].joints
_USED = [_WHOLE.index(joint) for joint in H36M17.joints]


def read(ask: Ask) -> DetectionSource:
    """Every recording of the file, or of all files of the folder.

    Raises:
        ValueError: not trusted, or no such file.
    """
    files = sorted(ask.path.glob("twoDPose*.npy")) if ask.path.is_dir() else [ask.path]
    if not files:
        raise ValueError(f"{ask.path}: holds no twoDPose*.npy; name the file")
    clips: list[tuple[Any, Any]] = []
    for file in files:
        with understood(file, _LAYOUT):
            clips += open_npy(file, trust=ask.trust).items()
    with understood(files[0], _LAYOUT):
        for key, clip in clips:
            _names(key)
            if np.ndim(clip) != 2 or np.shape(clip)[1] != 2 * len(_WHOLE):
                raise ValueError(f"{key[2]} is {np.shape(clip)}")
    return DetectionSource(
        skeleton=H36M17,
        sequences=_sequences(clips, ask),
        files=tuple(files),
        notes=(UNSURE,),
    )


def _sequences(clips: list[tuple[Any, Any]], ask: Ask) -> Iterator[DetectedSequence]:
    for key, clip in clips:
        with understood(ask.path, _LAYOUT):
            subject, sequence, view = _names(key)
            whole = np.asarray(clip, np.float64).reshape(-1, 1, len(_WHOLE), 2)
            px, sure = found(whole[:, :, _USED])
        yield DetectedSequence(
            subject=subject, sequence=sequence, view=view, px=px, confidence=sure
        )


def _names(key: Any) -> tuple[str, str, str]:
    """("S9", "Directions 1", "54138969") of a key; a "_" for the space will do."""
    person, _, file = key
    sequence, view, *_ = str(file).split(".")
    return f"S{int(person)}", sequence.replace("_", " "), view
