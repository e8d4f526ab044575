"""MPII key points: `train.json` or `valid.json`, or its own .mat; pictures by --images. 2D only.

Each person has `image`, `joints` (16 of x, y) and `joints_vis`. The numbers are MATLAB's, counted
from 1: one pixel is subtracted from x and y, no half pixel. A joint with `joints_vis` 0 is not
labelled; the JSON does not say which labelled joints are hidden, the .mat does (`mpii_mat`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.convert.mpii_mat import people_of_mat
from posezoo.data.convert.people2d import Person, people_pieces
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.keypoints.fields import numbers
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.text_file import read_json
from posezoo.skeleton import SKELETONS

_LAYOUT = "a list of {image, joints [16][2], joints_vis [16]}"


def read(source: Path, options: Options) -> Reading:
    """A piece for each group of pictures, and one for who is left out.

    Raises:
        ValueError: no such file, no folder of pictures, or no person that can be used.
    """
    left_out: Counter[str] = Counter()
    people: list[Person] = []
    if source.suffix.lower() == ".mat":
        people, left_out = people_of_mat(source)
    else:
        people = _people_of_json(source, left_out)
    if not people:
        reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise ValueError(f"{source}: no person can be used ({reasons or 'there is none'})")

    def nobody(remarks: Remarks) -> list[PoseSequence]:
        for reason, count in left_out.items():
            remarks.dropped(count, reason)
        return []

    skeleton = SKELETONS["mpii16"]
    pieces = people_pieces(people, skeleton, "mpii", options)
    return Reading(skeleton, [*pieces, Piece("people left out", nobody)], [source])


def _people_of_json(source: Path, left_out: Counter[str]) -> list[Person]:
    people: list[Person] = []
    with understood(source, _LAYOUT):
        content = read_json(source)
        if not isinstance(content, list):
            raise ValueError(f"{source}: not a list of people; expected {_LAYOUT}")
        for number, each in enumerate(content):
            person, reason = _person(each, number)
            if person is None:
                left_out[reason] += 1
            else:
                people.append(person)
    return people


def _person(each: Any, number: int) -> tuple[Person | None, str]:
    """A person of the list, or why there is none."""
    if not isinstance(each, Mapping) or not isinstance(each.get("image"), str):
        return None, "without the name of a picture"
    if "joints" not in each or "joints_vis" not in each:
        return None, "without joints and joints_vis"
    try:
        joints = numbers(each["joints"], (16, 2), "")
        labelled = numbers(each["joints_vis"], (16,), "") > 0
    except ValueError:
        return None, f"joints that are not {_LAYOUT}"
    if not labelled.any():
        return None, "a person without any joint"
    px = np.where(labelled[:, None], joints - 1, np.nan)
    return Person(each["image"], f"mpii-{number}", px, labelled), ""
