"""People in single pictures, known in 2D only: what COCO and MPII have in common.

Nobody knows the lens of such a picture. A camera must be there all the same, so one is assumed: as
long a focal length as the picture's diagonal (an angle of 53 degrees across it), its middle the
centre. Who is who is not known either: people are grouped by a hundred pictures, or by a tenth of
all, and no picture is in two groups, so that none is on both sides of a split.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.data.convert.recipe import Options, Piece, Remarks
from posezoo.data.convert.source_sequence import SourceSequence, finish, picture_bytes
from posezoo.data.store.pictures import check_picture
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.skeleton import Skeleton

Floats: TypeAlias = NDArray[np.float64]

ASSUMED = "lens not known: focal length assumed to be the diagonal"
_GROUP = 100  # pictures, at most
_GROUPS = 10  # at least, where there are as many pictures: one is held out of a small set


@dataclass(frozen=True, slots=True)
class Person:
    """One person in one picture."""

    picture: str  # file name
    name: str  # of its own in the source
    px: Floats  # (J, 2) px, pixel centres at integers; NaN: unknown
    visible: NDArray[np.bool_]  # (J,)
    size_px: tuple[int, int] | None = None  # width, height; None: ask the picture


def people_pieces(
    people: Sequence[Person], skeleton: Skeleton, prefix: str, options: Options
) -> list[Piece]:
    """A piece for each group of pictures; each person is a sequence of one frame.

    Raises:
        ValueError: sizes are not known and no folder of pictures is given.
    """
    if options.images is None and any(person.size_px is None for person in people):
        raise ValueError("this format does not tell the pictures' sizes: give --images FOLDER")
    size = min(_GROUP, max(1, len({person.picture for person in people}) // _GROUPS))
    groups: list[list[Person]] = []
    pictures: set[str] = set()
    for person in sorted(people, key=lambda person: person.picture):
        if not groups or (len(pictures) == size and person.picture not in pictures):
            groups.append([])
            pictures.clear()
        pictures.add(person.picture)
        groups[-1].append(person)
    return [
        Piece(f"{prefix}-{number:05d}", partial(_read, group, skeleton, prefix, options))
        for number, group in enumerate(groups)
    ]


def _read(
    group: Sequence[Person], skeleton: Skeleton, prefix: str, options: Options, remarks: Remarks
) -> list[PoseSequence]:
    sequences: list[PoseSequence] = []
    for person in group:
        path = None if options.images is None else options.images / person.picture
        size = person.size_px
        if size is None and path is not None:
            size = picture_size(path, options.images)
        if size is None:
            remarks.dropped(1, "no picture that can be read")
            continue
        recording = SourceSequence(
            skeleton=skeleton,
            subject=remarks.piece,
            action=prefix,
            sequence=person.name,
            view="assumed lens",
            frame=np.zeros(1, np.int64),
            camera=assumed_lens(size),
            px=person.px[None],
            visible=person.visible[None],
            size_px=size,
            picture=None if path is None else partial(_same, path),
        )
        sequences += finish(recording, options, remarks)
    remarks.repaired(len(sequences), ASSUMED)
    return sequences


def _same(path: Path, _: int) -> Path:
    return path


def assumed_lens(size_px: tuple[int, int]) -> Floats:  # (10,)
    """The camera of a picture of whose lens nothing is known."""
    width, height = size_px
    focal = math.hypot(width, height)
    camera = [focal, focal, (width - 1) / 2, (height - 1) / 2, 0, 0, 0, 0, 0, 2]
    return np.array(camera, np.float64)


def picture_size(path: Path, images: Path | None) -> tuple[int, int] | None:
    """Width and height; None where there is no picture that can be read."""
    data, _ = picture_bytes(path, images)
    if data is None:
        return None
    try:
        return check_picture(data)
    except ValueError:
        return None
