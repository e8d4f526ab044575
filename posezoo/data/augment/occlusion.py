"""Things in front of the person: rectangles and ellipses of one colour, striped or plain.

A joint whose pixel is covered is no longer visible; its position stays known.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from posezoo.contracts import Batch
from posezoo.data.augment.change import change
from posezoo.data.augment.pixels import picture
from posezoo.data.augment.random_stream import RandomStream
from posezoo.limits import Range, Share
from posezoo.skeleton import Skeleton

_SMALLEST = 0.25  # of the largest: sides are between the two
_SLIMMEST = 1 / 3  # of a thing's longer side
_STRIPES = 4  # on a thing, where it has any


@change
class Occlude:
    """One to `count` things on each picture that is changed."""

    most: Annotated[float, Range(0, 1)] = 0.5  # a thing's side / the picture's
    count: Annotated[int, Range(1, 8)] = 2
    chance: Share = 0.5

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The batch with things painted over it."""
        image = picture(batch, self)
        things = (
            stream.happens(self.chance) * (1 + self.count * stream.uniform(1, "count")[:, 0]).long()
        )
        covered = torch.zeros_like(image[:, 0], dtype=torch.bool)
        for place in range(self.count):
            thing, colour = _thing(image, stream.uniform(13, f"thing {place}"), self.most)
            thing &= (place < things)[:, None, None]
            image = torch.where(thing[:, None], colour, image)
            covered |= thing
        return replace(batch, image=image, visible=batch.visible & ~_under(batch, covered))


def _thing(
    image: Tensor,  # (B, 3, H, W)
    u: Tensor,  # (B, 13)
    most: float,
) -> tuple[Tensor, Tensor]:  # (B, H, W) bool, and (B, 3, H, W) uint8
    height, width = image.shape[-2:]
    y = torch.arange(height, device=u.device, dtype=u.dtype)[:, None]
    x = torch.arange(width, device=u.device, dtype=u.dtype)
    centre_x, centre_y = u[:, 0, None, None] * width, u[:, 1, None, None] * height
    angle = math.pi * u[:, 2, None, None]
    half = most * max(height, width) / 2 * (_SMALLEST + (1 - _SMALLEST) * u[:, 3, None, None])
    slim = _SLIMMEST + (1 - _SLIMMEST) * u[:, 4, None, None]
    along = (angle.cos() * (x - centre_x) + angle.sin() * (y - centre_y)) / half
    across = (angle.cos() * (y - centre_y) - angle.sin() * (x - centre_x)) / (half * slim)
    ellipse = along**2 + across**2 < 1
    rectangle = torch.maximum(along.abs(), across.abs()) < 1
    thing = torch.where(u[:, 5, None, None] < 0.5, ellipse, rectangle)
    striped = (u[:, 6, None, None] < 0.5) & ((along + 1) * _STRIPES % 2 < 1)
    paint = (255 * u[:, 7:13]).to(torch.uint8)[..., None, None]
    return thing, torch.where(striped[:, None], paint[:, :3], paint[:, 3:])


def _under(
    batch: Batch,
    covered: Tensor,  # (B, H, W) bool
) -> Tensor:  # (B, T, J) bool
    height, width = covered.shape[-2:]
    x, y = batch.joints2d.round().long().unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    place = (y * width + x).where(inside, 0).flatten(1)
    return covered.flatten(1).gather(1, place).view_as(inside) & inside
