"""Stacked-hourglass detections of 3d-pose-baseline: `S9/StackedHourglass/Directions_1.54138969.h5`.

Each file has `poses` (F, 16, 2) px, MPII's joints. SRC is the folder of the people (`h36m/`), with
one of `StackedHourglass` and `StackedHourglassFineTuned240` in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from posezoo.data.convert.recipe import understood
from posezoo.data.detections.source import UNSURE, Ask, DetectedSequence, DetectionSource, found
from posezoo.data.hdf5 import numbers, read_hdf5
from posezoo.skeleton import SKELETONS

_LAYOUT = "poses (F, 16, 2) px"


def read(ask: Ask) -> DetectionSource:
    """Every recording below the folder.

    Raises:
        ValueError: none is there, or of two detectors.
    """
    files = sorted(ask.path.glob("S*/StackedHourglass*/*.h5"))
    kinds = sorted({file.parent.name for file in files})
    if len(kinds) != 1:
        raise ValueError(
            f"{ask.path}: holds {' and '.join(kinds) or 'no S*/StackedHourglass*/*.h5'}; expected "
            "the files of one detector"
        )
    return DetectionSource(
        skeleton=SKELETONS["mpii16"],
        sequences=_sequences(files),
        files=tuple(files),
        notes=(UNSURE,),
    )


def _sequences(files: Sequence[Path]) -> Iterator[DetectedSequence]:
    for file in files:
        poses = read_hdf5(file, lambda content: numbers(content, "poses"), expected=_LAYOUT)
        if poses.ndim != 3 or poses.shape[1:] != (16, 2):
            raise ValueError(f"{file}: poses is {poses.shape}; expected {_LAYOUT}")
        with understood(file, _LAYOUT):
            px, sure = found(np.asarray(poses, np.float64)[:, None])
            sequence, view = file.stem.replace("_", " ").rsplit(".", 1)
        yield DetectedSequence(
            subject=file.parents[1].name, sequence=sequence, view=view, px=px, confidence=sure
        )
