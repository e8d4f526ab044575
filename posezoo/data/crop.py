"""The square crop around a person, as the affine map from old pixels to new ones.

A crop covers whole pixels: its left edge is half a pixel left of the centre of its first one.
With pixel centres at integers, an edge at `left` (old px) comes to lie at -0.5 (new px).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.data import counter_random

_SMALLEST_SIDE_PX = 2.0  # all joints on one spot still make a crop


def person_crop(
    joints2d: Tensor,  # (N, J, 2) px of the whole picture
    *,
    size: int,  # px, of the square crop
    margin: float,  # on each side, as a share of the joints' box
    jitter: float,  # as a share of the crop; 0 draws nothing
    seed: int,
    index: NDArray[np.int64],  # (N,)
) -> tuple[Tensor, Tensor]:  # scale (N,) new px per old px, offset (N, 2) px
    """Frame the joints: new px = old px * scale + offset.

    The crop is as wide as the longer side of the joints' box, and `margin` of that more on each
    side. Jitter moves it by up to that share of its side in x and y, and resizes it likewise.
    """
    low, high = joints2d.amin(1), joints2d.amax(1)
    side = ((high - low).amax(-1) * (1 + 2 * margin)).clamp_min(_SMALLEST_SIDE_PX)
    centre = (low + high) / 2
    if jitter:
        u = 2 * torch.from_numpy(counter_random.uniform(seed, index, 3, "crop")).to(joints2d) - 1
        centre = centre + jitter * side[:, None] * u[:, :2]
        side = side * (1 + jitter * u[:, 2])
    scale = size / side
    left_top = centre - side[:, None] / 2
    return scale, -0.5 - left_top * scale[:, None]


def inside(
    joints2d: Tensor,  # (N, ..., 2) px
    size_px: Tensor | int,  # (N, 2) width and height, or the side of a square
) -> Tensor:  # (N, ...) bool
    """Which points lie on a pixel of the picture: from -0.5 to its size less 0.5."""
    limit: Tensor | float = size_px - 0.5
    if isinstance(limit, Tensor):
        limit = limit.view(-1, *(1 for _ in joints2d.shape[1:-1]), 2)
    return ((joints2d >= -0.5) & (joints2d < limit)).all(-1)
