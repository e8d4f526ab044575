"""From pictures to what BlazePose's networks see, and from what they say back to px.

A crop is a turned square of the picture: index k of n along its side is the place
centre + R ((k / n - 0.5) side), without half a cell, as in MediaPipe, by whose crops the networks
were trained. All places are px of the picture as given, integers at the centres of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from posezoo.detectors._blazepose_networks import HEATMAP_CELLS, PERSON_PX

_ANCHORS = ((8, 2), (16, 2), (32, 6))  # stride in px, and anchors a cell
_LARGEST_LOGIT = 100.0
_REACH = 1.25  # how far beyond the circle about the person a crop goes
_WINDOW_CELLS = 7
_SUREST_CELL = 0.5  # the least peak of a heatmap that moves a point


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """N squares of a picture."""

    centre: Tensor  # (N, 2) px
    side: Tensor  # (N,) px
    angle: Tensor  # (N,) radians: by how much the square's axes are turned, x towards y

    def __len__(self) -> int:
        return len(self.side)

    def __getitem__(self, chosen: Tensor) -> Crops:
        return Crops(centre=self.centre[chosen], side=self.side[chosen], angle=self.angle[chosen])

    def split(self, count: int) -> list[Crops]:
        """So many at a time."""
        return [self[place] for place in torch.arange(len(self)).split(count) if len(place)]

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Its fields, one row for each crop."""
        return self.centre, self.side, self.angle

    def to_px(
        self,
        points: Tensor,  # (N, P, 2) shares of the side, from the square's corner
    ) -> Tensor:  # (N, P, 2) px
        """Places of the picture."""
        return self.centre[:, None] + self.turned((points - 0.5) * self.side[:, None, None])

    def turned(
        self,
        vectors: Tensor,  # (N, P, 2) along the square's axes
    ) -> Tensor:  # (N, P, 2) along the picture's
        """The same vectors along the axes of the picture."""
        cos, sin = self.angle.cos()[:, None], self.angle.sin()[:, None]
        x, y = vectors.unbind(-1)
        return torch.stack((cos * x - sin * y, sin * x + cos * y), -1)


def upright(
    table: Tensor,  # (N, 3) px: x and y of the middle, and the side
) -> Crops:
    """Squares that are not turned."""
    return Crops(centre=table[:, :2], side=table[:, 2], angle=torch.zeros(len(table)))


def about(
    centre: Tensor,  # (N, 2) px: the middle of the hips
    rim: Tensor,  # (N, 2) px: a point above it, on a circle about the whole person
) -> Crops:
    """The square about a person, turned so that the person stands upright in it."""
    x, y = (rim - centre).unbind(-1)
    return Crops(
        centre=centre,
        side=2 * _REACH * (rim - centre).norm(dim=-1),
        angle=torch.remainder(math.pi / 2 - torch.atan2(-y, x) + math.pi, 2 * math.pi) - math.pi,
    )


def sample(
    picture: Tensor,  # (H, W, 3) uint8
    crops: Crops,
    size: int,  # px
    *,
    outside: Literal["black", "border"],
) -> Tensor:  # (N, 3, size, size) whole numbers from 0 to 255, float32
    """The crops, by bilinear interpolation; outside is black, or what the border is."""
    along = (torch.arange(size) / size - 0.5) * crops.side[:, None]
    across, down = (torch.stack(pair, -1) for pair in ((along, 0 * along), (0 * along, along)))
    across, down = crops.turned(across), crops.turned(down) + crops.centre[:, None]  # (N, size, 2)
    corners = across[:, None, [0, -1]] + down[:, [0, -1], None]
    last = torch.tensor(picture.shape[1::-1]) - 1
    low, high = (
        each.floor().clamp_min(0).minimum(last).int()
        for each in (corners.amin((0, 1, 2)), corners.amax((0, 1, 2)))
    )
    part = picture[low[1] : high[1] + 2, low[0] : high[0] + 2].float().permute(2, 0, 1)
    px = 2 / torch.tensor(part.shape[:0:-1])  # where the part's width and height are 2
    seen = grid_sample(
        part.expand(len(crops), -1, -1, -1),
        ((down - low + 0.5) * px - 1)[:, :, None] + (across * px)[:, None],
        padding_mode="zeros" if outside == "black" else "border",
        align_corners=False,
    )
    return seen.round_()


@cache
def anchors() -> Tensor:  # (2254, 2) shares of the side of the picture
    """Centres of the anchors, stride by stride, row by row, those of a cell together."""
    rows = []
    for stride, number in _ANCHORS:
        cells = PERSON_PX // stride
        index = (torch.arange(cells) + 0.5) / cells
        x, y = torch.meshgrid(index, index, indexing="xy")
        rows.append(torch.stack((x, y), -1).reshape(-1, 1, 2).expand(-1, number, -1).flatten(0, 1))
    return torch.cat(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """N people whom the first network has found."""

    points: Tensor  # (N, 4, 2) px: middle of the hips, rim of the person, then of the upper body
    scores: Tensor  # (N,) 0 to 1
    square: Tensor  # (N,) int64: the square in which each was found


def decode(
    values: Tensor,  # (B, 2254, 12) px from the anchors: x, y, width, height, four points
    logits: Tensor,  # (B, 2254)
    squares: Crops,  # what the network has seen, not turned
    *,
    least_score: float,
    most_overlap: float,  # intersection over union from which two boxes are one person
) -> Found:
    """People in each square, those whose boxes overlap taken as one, in px of the picture."""
    scores = logits.clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT).sigmoid()
    points, best = [values.new_empty(0, 4, 2)], [scores.new_empty(0)]
    square = [torch.empty(0, dtype=torch.int64)]
    for place in range(len(scores)):
        sure = scores[place] >= least_score
        pairs = values[place, sure].unflatten(-1, (6, 2)) / PERSON_PX
        pairs[:, [0, 2, 3, 4, 5]] += anchors()[sure][:, None]
        merged, score = merge(pairs, scores[place, sure], most_overlap=most_overlap)
        points.append(squares[torch.full((len(score),), place)].to_px(merged[:, 2:]))
        best.append(score)
        square.append(torch.full((len(score),), place))
    return Found(points=torch.cat(points), scores=torch.cat(best), square=torch.cat(square))


def merge(
    pairs: Tensor,  # (N, P, 2): middle, width and height, then points
    scores: Tensor,  # (N,)
    *,
    most_overlap: float,
) -> tuple[Tensor, Tensor]:  # (M, P, 2), (M,)
    """One in place of those who overlap a surer one: their mean, weighted by scores."""
    boxes = torch.cat((pairs[:, 0] - pairs[:, 1] / 2, pairs[:, 0] + pairs[:, 1] / 2), -1)
    left = scores.argsort(descending=True, stable=True)
    merged, best = [pairs[:0]], [scores[:0]]
    while len(left):
        same = overlap(boxes[left[:1]], boxes[left])[0] > most_overlap
        same[0] = True  # a box without area overlaps nothing, not even itself
        weights = scores[left[same]]
        mean = (pairs[left[same]] * weights[:, None, None]).sum(0) / weights.sum()
        merged.append(mean[None])
        best.append(scores[left[:1]])
        left = left[~same]
    return torch.cat(merged), torch.cat(best)


def overlap(
    first: Tensor,  # (N, 4) left, top, right, bottom
    second: Tensor,  # (M, 4)
) -> Tensor:  # (N, M) intersection over union
    """How much two boxes have in common."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    common = (high - low).clamp_min(0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp_min(0).prod(-1) for boxes in (first, second)]
    return common / (areas[0][:, None] + areas[1][None] - common).clamp_min(1e-9)


def refine(
    points: Tensor,  # (N, P, 2) shares of the side of the crop
    heatmaps: Tensor,  # (N, P, 64, 64) logits
) -> Tensor:  # (N, P, 2)
    """Move each point to the weighted middle of the heatmap about it, where that has a peak.

    The middle is of cell indices without half a cell, as the networks were trained: with it, all
    points lie 1.5 px off in crops of 256 px.
    """
    reach, cells = _WINDOW_CELLS // 2, HEATMAP_CELLS
    column, row = (points * cells).trunc().long().unbind(-1)
    inside = (column >= 0) & (column < cells) & (row >= 0) & (row < cells)
    column, row = column.clamp(0, cells - 1)[..., None], row.clamp(0, cells - 1)[..., None]
    steps = torch.arange(-reach, reach + 1)
    down, right = (s.flatten() for s in torch.meshgrid(steps, steps, indexing="ij"))
    person = torch.arange(len(points))[:, None, None]
    point = torch.arange(points.shape[1])[:, None]
    logits = pad(heatmaps, (reach,) * 4, value=-math.inf)
    logits = logits[person, point, row + down + reach, column + right + reach]  # (N, P, 49)
    weights = logits.sigmoid()
    total = weights.sum(-1).clamp_min(1e-9)
    places = (column + right, row + down)
    middle = torch.stack([(weights * place).sum(-1) / total for place in places], -1) / cells
    moved = inside & (weights.amax(-1) >= _SUREST_CELL)
    return torch.where(moved[..., None], middle, points)
