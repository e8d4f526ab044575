"""Losses of joints.

Each is a mean over the labelled joints, 0 where there are none. Heatmap losses live in
`posezoo.ops`, since they come with kernels.
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


def mean_distance(
    predicted: Tensor,  # (..., J, D)
    target: Tensor,  # (..., J, D), same unit
    labelled: Tensor,  # (..., J) bool
) -> Tensor:  # scalar, same unit
    """Mean Euclidean distance: the MPJPE itself, in mm."""
    return _mean(distances(predicted, target), labelled)


def squared_error(predicted: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """Mean squared difference of the coordinates (the published lifter's loss, on z-scores)."""
    return _mean((predicted - target).square().mean(-1), labelled)


def absolute_error(predicted: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """Mean absolute difference of the coordinates."""
    return _mean((predicted - target).abs().mean(-1), labelled)


def _mean(errors: Tensor, labelled: Tensor) -> Tensor:
    return (errors * labelled).sum() / labelled.sum().clamp_min(1)
