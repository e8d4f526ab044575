"""Errors of predicted poses, one number a pose and joint, on plain tensors.

All take absolute or root-relative joints in mm; what is subtracted or fitted first is what their
names say. Averages over poses are the protocol's business (`posezoo.protocol`).
"""

from __future__ import annotations

from torch import Tensor

from posezoo.geometry import procrustes_align, root_relative


def mpjpe(
    predicted: Tensor,  # (..., J, 3) mm
    target: Tensor,  # (..., J, 3) mm
    root: int = 0,
) -> Tensor:  # (..., J) mm
    """Distance of each joint after both poses are centred on their roots (protocol 1)."""
    return _distance(root_relative(predicted, root), root_relative(target, root))


def n_mpjpe(predicted: Tensor, target: Tensor, root: int = 0) -> Tensor:
    """As `mpjpe`, after the one scale that fits the prediction best (Rhodin et al. 2018)."""
    a, b = root_relative(predicted, root), root_relative(target, root)
    scale = (a * b).sum((-1, -2), keepdim=True) / (a * a).sum((-1, -2), keepdim=True).clamp_min(
        1e-9
    )
    return _distance(scale * a, b)


def pa_mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """Distance of each joint after the best rotation, translation and scale (protocol 2)."""
    return _distance(procrustes_align(predicted, target), target)


def error_2d(
    predicted: Tensor,  # (..., J, 2) px
    target: Tensor,  # (..., J, 2) px
) -> Tensor:  # (..., J) px
    """Distance of each joint in the picture that the network sees."""
    return _distance(predicted, target)


def _distance(predicted: Tensor, target: Tensor) -> Tensor:
    return (predicted - target).norm(dim=-1)
