"""3DPW's `poses2d`: OpenPose's 18 joints, [(F, 3, 18)] of x, y px and confidence, per person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from posezoo.data.convert.cameras import check_trust
from posezoo.data.convert.recipe import Options, understood
from posezoo.data.convert.threedpw import load_sequence, person_name, sequence_files
from posezoo.data.detections.source import Ask, DetectedSequence, DetectionSource, found
from posezoo.skeleton import SKELETONS

_LAYOUT = "sequence, poses2d [(F, 3, 18)]"


def read(ask: Ask) -> DetectionSource:
    """Every person of every file.

    Raises:
        ValueError: not trusted, or no such file.
    """
    files = sequence_files(ask.path)
    check_trust(files[0], Options(trust=ask.trust))
    return DetectionSource(
        skeleton=SKELETONS["openpose18"], sequences=_sequences(files), files=tuple(files)
    )


def _sequences(files: Sequence[Path]) -> Iterator[DetectedSequence]:
    for file in files:
        content = load_sequence(file, _LAYOUT, "poses2d")
        name = str(content["sequence"])
        with understood(file, _LAYOUT):
            people = [np.asarray(person, np.float64) for person in content["poses2d"]]
            for rows in people:
                if rows.ndim != 3 or rows.shape[1:] != (3, 18):
                    raise ValueError(f"poses2d is {rows.shape}")
        for number, person in enumerate(people):
            rows = person.transpose(0, 2, 1)[:, None]
            px, sure = found(rows[..., :2], rows[..., 2])
            yield DetectedSequence(
                subject=person_name(name, number), sequence=name, view="", px=px, confidence=sure
            )
