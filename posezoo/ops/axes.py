"""Coordinates: their type, and one number for each axis, x first, given, checked and applied."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def wide(maps: Tensor) -> torch.dtype:
    """The type of coordinates and losses: float32, or float64 of float64 maps."""
    return torch.float64 if maps.dtype == torch.float64 else torch.float32


def per_axis(
    value: float | Sequence[float],
    axes: int,
    name: str,
) -> list[float]:
    """One number for each axis.

    Raises:
        ValueError: there are not as many numbers as axes.
    """
    values = [float(v) for v in value] if isinstance(value, Sequence) else [float(value)] * axes
    if len(values) != axes:
        raise ValueError(f"{name}: expected a number or {axes} of them (x first), got {value!r}")
    return values


def affine(
    values: Tensor,  # (..., n) x first
    scale: Sequence[float],  # n
    offset: Sequence[float] = (0.0, 0.0, 0.0),  # n
) -> Tensor:  # (..., n) in memory of its own
    """The values times scale plus offset."""
    pairs = list(zip(scale, offset, strict=False))
    if len(set(pairs)) == 1:  # the same on all axes: two calls, not six
        scaled = values * pairs[0][0]
        return scaled.add_(pairs[0][1]) if pairs[0][1] else scaled
    axes = zip(values.unbind(-1), pairs, strict=True)
    return torch.stack([v * s + o for v, (s, o) in axes], -1)
