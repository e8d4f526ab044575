"""Where BlazePose looks for people, and which of those whom it found are the same person."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from posezoo.contracts import DetectedPerson
from posezoo.detectors._blazepose_geometry import Crops, Found, about, upright

_SHARED = 1 / 3  # how much of a part of the picture its neighbour shows too
_ROOM = 1.25  # the side of the crop of a person in a box, over the box's longer side
_NEAR = 0.25  # two poses of a mean distance below this share of their size are one person's


def parts_of(width: int, height: int, tiles: int) -> Crops:
    """The whole picture, and overlapping squares of it: 2 x 2, 3 x 3, ... tiles x tiles.

    A long picture has fewer squares along its short side.
    """
    longer = float(max(width, height))
    rows = [(width / 2, height / 2, longer)]
    for number in range(2, tiles + 1):
        side = longer / (1 + (number - 1) * (1 - _SHARED))
        rows += [(x, y, side) for y in _middles(height, side) for x in _middles(width, side)]
    return upright(torch.tensor(rows))


def around(
    boxes: Tensor,  # (P, 4) px
) -> Crops:
    """A square around each box, with room."""
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    return upright(torch.cat((middle, _ROOM * boxes[:, 2:].amax(1, keepdim=True)), 1))


def crops_in(
    boxes: Tensor,  # (P, 4) px
    found: Found,  # in the squares around them
) -> Crops:
    """One crop for each box: about the surest person whose hips are in it, else upright."""
    crops, people = around(boxes), about(found.points[:, 0], found.points[:, 1])
    for place, (low, size) in enumerate(zip(boxes[:, :2], boxes[:, 2:], strict=True)):
        hips = people.centre
        inside = ((hips >= low) & (hips <= low + size)).all(-1) & (found.square == place)
        if inside.any():
            surest = torch.where(inside, found.scores, -1).argmax()
            for mine, theirs in zip(crops.tensors, people.tensors, strict=True):
                mine[place] = theirs[surest]
    return crops


def distinct(
    crops: Crops,
    scores: Tensor,  # (N,)
) -> Tensor:  # (M,) int64, the surest first
    """Leave out a crop that lies about as another one, which is surer."""
    kept: list[int] = []
    for place in scores.argsort(descending=True, stable=True).tolist():
        apart_px = (crops.centre[kept] - crops.centre[place]).norm(dim=-1)
        larger = torch.maximum(crops.side[kept], crops.side[place])
        smaller = torch.minimum(crops.side[kept], crops.side[place])
        if not ((apart_px < _NEAR * smaller) & (larger < 2 * smaller)).any():
            kept.append(place)
    return torch.tensor(kept, dtype=torch.int64)


def apart(people: Iterable[DetectedPerson]) -> list[DetectedPerson]:
    """Each person once, the surest first."""
    kept: list[DetectedPerson] = []
    for person in sorted(people, key=lambda each: -each.score):
        if not any(_same(person, other) for other in kept):
            kept.append(person)
    return kept


def _same(first: DetectedPerson, second: DetectedPerson) -> bool:
    size = (first.box_px[2:].amax() + second.box_px[2:].amax()) / 2
    distance = (first.joints2d - second.joints2d).norm(dim=-1).mean()
    return bool(distance < _NEAR * size)


def _middles(length: int, side: float) -> list[float]:
    """Middles of squares that cover a length and share `_SHARED` with each other at least."""
    if length <= side:
        return [length / 2]
    number = math.ceil((length - side) / (side * (1 - _SHARED)) - 1e-6) + 1
    return [side / 2 + place * (length - side) / (number - 1) for place in range(number)]
