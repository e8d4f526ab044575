"""COCO key points: `person_keypoints_*.json`, pictures by --images. 2D only.

17 joints, or the 26 of Halpe in the same layout. COCO counts pixels from 0 and its key points are
whole pixels, so there is no half-pixel shift. A joint with v = 0 is not labelled, v = 1 is labelled
but hidden. Crowds and people without any joint are dropped.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.convert.people2d import Person, people_pieces
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.skeleton import SKELETONS

_LAYOUT = "images [{id, file_name, width, height}], annotations [{image_id, keypoints [51]}]"
_SETS = {51: SKELETONS["coco17"], 78: SKELETONS["halpe26"]}


def read(source: Path, options: Options) -> Reading:
    """A piece for each group of pictures, and one for who is left out.

    Raises:
        ValueError: no such file.
    """
    with understood(source, _LAYOUT):
        content = json.loads(source.read_text(encoding="utf-8"))
        images = {image["id"]: image for image in content["images"]}
        annotations = content["annotations"]
        lengths = {len(each["keypoints"]) for each in annotations}
        if len(lengths) != 1 or not lengths <= set(_SETS):
            raise ValueError(
                f"{source}: keypoints are {sorted(lengths)} numbers long; expected 51 (COCO's 17 "
                "joints) or 78 (Halpe's 26) everywhere"
            )
        left_out: Counter[str] = Counter()
        people = []
        for each in annotations:
            reason = _reason(each)
            if reason:
                left_out[reason] += 1
            else:
                people.append(_person(each, images[each["image_id"]]))
    skeleton = _SETS[lengths.pop()]

    def nobody(remarks: Remarks) -> list[PoseSequence]:
        for reason, count in left_out.items():
            remarks.dropped(count, reason)
        return []

    pieces = people_pieces(people, skeleton, "coco", options)
    return Reading(skeleton, [*pieces, Piece("people left out", nobody)], [source])


def _reason(annotation: dict[str, Any]) -> str:
    if annotation.get("iscrowd"):
        return "a crowd"
    return "" if any(annotation["keypoints"][2::3]) else "a person without any joint"


def _person(annotation: dict[str, Any], image: dict[str, Any]) -> Person:
    numbers = np.array(annotation["keypoints"], np.float64).reshape(-1, 3)
    return Person(
        image["file_name"],
        f"coco-{annotation['id']}",
        np.where(numbers[:, 2:] > 0, numbers[:, :2], np.nan),
        numbers[:, 2] == 2,
        (int(image["width"]), int(image["height"])),
    )
