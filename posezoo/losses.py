"""Losses of joints.

Each is a mean over the labelled joints, 0 where there are none. Heatmap losses live in
`posezoo.ops`, since they come with kernels.

Where ranks share a batch, the mean is the whole batch's: each rank divides what it adds up by its
share of what counts everywhere, so that the mean over ranks, which is what torch makes of their
gradients, is the mean over the batch, whatever is labelled on which of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posezoo.ranks import here


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
    return mean_of(distances(predicted, target), labelled)


def squared_error(predicted: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """Mean squared difference of the coordinates (the published lifter's loss, on z-scores)."""
    return mean_of((predicted - target).square().mean(-1), labelled)


def absolute_error(predicted: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """Mean absolute difference of the coordinates."""
    return mean_of((predicted - target).abs().mean(-1), labelled)


def mean_of(
    values: Tensor,  # (...)
    counts: Tensor,  # (...) bool
) -> Tensor:  # scalar, same unit
    """The mean of the values that count; 0 where none does."""
    return (values * counts).sum() / number_of(counts)


def mean_of_items(
    values: Tensor,  # (B,)
) -> Tensor:  # scalar, same unit
    """The mean of what every item has."""
    return mean_of(values, torch.ones_like(values, dtype=torch.bool))


def number_of(counts: Tensor) -> Tensor:  # scalar
    """By what to divide a sum over those that count to have their mean: never 0."""
    ranks = here()
    return ranks.sum(counts.sum()).clamp_min(1) / ranks.size


def mean_over_ranks(
    values: Tensor,  # (...)
    counts: Tensor,  # (...) bool
) -> Tensor:  # scalar, same unit; no gradient
    """`mean_of` the whole batch, the same on every rank: for what a loss is divided by."""
    return here().mean(mean_of(values, counts).detach())
