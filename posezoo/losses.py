"""Losses of joints.

Heatmap losses live in `posezoo.ops`, since they come with kernels.
"""

from __future__ import annotations

from torch import Tensor


def distances(
    predicted: Tensor,  # (..., J, D)
    target: Tensor,  # (..., J, D), same unit
) -> Tensor:  # (..., J), same unit
    """Euclidean distance of each joint; in mm, its mean is the MPJPE itself."""
    # The small constant keeps the gradient finite where a joint is exactly right (the root is).
    return ((predicted - target).square().sum(-1) + 1e-12).sqrt()


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of the coordinates (the published lifter's loss, on z-scores)."""
    return (predicted - target).square().mean()


def absolute_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the coordinates."""
    return (predicted - target).abs().mean()
