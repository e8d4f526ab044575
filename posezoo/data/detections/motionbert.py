"""MotionBERT's pickle: `joint_2d` (N, 17, 2) px and `confidence` (N, 17), beside what it trains on.

Recordings are named by `source`, as a store made by `--from motionbert` names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from posezoo.data.convert.cameras import check_trust
from posezoo.data.convert.motionbert import parse_source, recordings
from posezoo.data.convert.plain_pickle import load_plain
from posezoo.data.convert.recipe import Options, understood
from posezoo.data.detections.source import UNSURE, Ask, DetectedSequence, DetectionSource, found
from posezoo.skeleton import H36M17

_LAYOUT = "{train, test}: joint_2d (N, 17, 2), confidence (N, 17), camera_name, source"


def read(ask: Ask) -> DetectionSource:
    """Every recording of both halves.

    Raises:
        ValueError: not trusted, or not such a file.
    """
    check_trust(ask.path, Options(trust=ask.trust))
    with understood(ask.path, _LAYOUT), ask.path.open("rb") as stream:
        content = load_plain(stream, ask.path.stat().st_size)
        halves = [content["train"], content["test"]]
        rows = [(half, each) for half in halves for each in recordings(half)]
        for half, each in rows:
            parse_source(str(half["source"][each.start]))
        for half in halves:
            shape = np.shape(half["joint_2d"])
            if len(shape) != 3 or shape[1] != 17 or shape[2] < 2:
                raise ValueError(f"joint_2d is {shape}")
    notes = [] if all("confidence" in half for half in halves) else [UNSURE]
    return DetectionSource(
        skeleton=H36M17, sequences=_sequences(rows, ask), files=(ask.path,), notes=tuple(notes)
    )


def _sequences(rows: list[tuple[dict[str, Any], slice]], ask: Ask) -> Iterator[DetectedSequence]:
    for half, each in rows:
        with understood(ask.path, _LAYOUT):
            subject, sequence = parse_source(str(half["source"][each.start]))
            px = np.asarray(half["joint_2d"][each], np.float64)[:, None, :, :2]
            sure = None
            if "confidence" in half:
                sure = np.asarray(half["confidence"][each], np.float64).reshape(-1, 1, 17)
            px, sure = found(px, sure)
        yield DetectedSequence(
            subject=subject,
            sequence=sequence,
            view=str(half["camera_name"][each.start]),
            px=px,
            confidence=sure,
        )
