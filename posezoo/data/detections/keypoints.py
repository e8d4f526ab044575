"""Detections of your own: what `posezoo predict` wrote, or any export that `posezoo lift` reads.

SRC is one file (or OpenPose's folder) of one recording by one camera, named by --of; or a folder
laid out SUBJECT/SEQUENCE/VIEW.json, with any of the files' endings. Frame i of a file is frame i of
the recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from posezoo.data.detections.source import Ask, DetectedSequence, DetectionSource, found
from posezoo.data.keypoints.keypoints import KeypointFile
from posezoo.data.keypoints.reading import read_keypoints
from posezoo.skeleton import Skeleton

_ENDINGS = (".json", ".csv", ".npz")
Named = tuple[tuple[str, str, str], Path]  # subject, sequence, view; and the file


def read(ask: Ask) -> DetectionSource:
    """Every file.

    Raises:
        ValueError: none is there, or one of another joint set than the first.
    """
    files = _files(ask)
    first = _read(files[0][1], ask)
    parts = [path for _, path in files]
    notes = [f"written by {first.tool}", *first.notes]
    return DetectionSource(
        skeleton=first.skeleton,
        sequences=_sequences(files, first.skeleton, ask),
        files=tuple(file for part in parts for file in _inside(part)),
        notes=tuple(notes),
    )


def _files(ask: Ask) -> list[Named]:
    if ask.recording is not None:
        return [(ask.recording, ask.path)]
    files = [
        ((file.parents[1].name, file.parent.name, file.stem), file)
        for file in sorted(ask.path.glob("*/*/*"))
        if file.suffix.lower() in _ENDINGS
    ]
    if not files:
        raise ValueError(
            f"{ask.path}: give --of SUBJECT/SEQUENCE/VIEW for one file, or a folder laid out "
            "SUBJECT/SEQUENCE/VIEW.json"
        )
    return files


def _inside(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())


def _read(path: Path, ask: Ask) -> KeypointFile:
    joints = None if ask.joints is None else ask.joints.name
    return read_keypoints(path, joints=joints, trust=ask.trust)


def _sequences(files: Sequence[Named], skeleton: Skeleton, ask: Ask) -> Iterator[DetectedSequence]:
    for (subject, sequence, view), path in files:
        file = _read(path, ask)
        if file.skeleton != skeleton:
            raise ValueError(f"{path}: of {file.skeleton.name}, others of {skeleton.name}")
        people = max(1, *(len(frame.people) for frame in file.frames))
        px = np.full((len(file.frames), people, skeleton.num_joints, 2), np.nan)
        sure = np.zeros(px.shape[:-1])
        for row, frame in enumerate(file.frames):
            for place, person in enumerate(frame.people):
                px[row, place], sure[row, place] = person.px, person.confidence
        px, sure = found(px, sure)
        yield DetectedSequence(
            subject=subject, sequence=sequence, view=view, px=px, confidence=sure
        )
