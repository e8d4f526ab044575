"""Mean squared error between heatmaps and Gaussians that are never stored.

loss[b, j] = weight[b, j] * mean over cells of (map - Gaussian)^2, and its gradient
2 * weight * (map - Gaussian) / cells, are computed from the joint positions: no target tensor is
rendered in a data loader, pinned, or copied to the device. The loss is per joint, so hard-keypoint
mining is `loss.topk(k, dim=1)`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from posezoo.ops.dispatch import define, use_triton
from posezoo.ops.gaussian_heatmaps import Centres, Support, check, factors, on_map


def heatmap_mse(
    maps: Tensor,  # (B, J, h, w) or (B, J, d, h, w)
    joints_cells: Tensor,  # (B, J, 2) x, y or (B, J, 3) x, y, z in cells, centres at integers
    *,
    sigma_cells: float,
    peak: float = 1.0,
    support: Support = "full",
    centres: Centres = "unbiased",
    weight: Tensor | None = None,  # (B, J)
) -> Tensor:  # (B, J) float32 (float64 for float64 maps)
    """Mean over cells of the squared difference to `gaussian_heatmaps`, per joint.

    A joint off the map, and a joint of weight 0, has loss 0 and gradient 0. Differentiable in
    the maps only.

    Args:
        maps: predicted heatmaps, any floating dtype.
        joints_cells: true positions.
        sigma_cells: see `gaussian_heatmaps`, also for `peak`, `support` and `centres`.
        peak: of the target.
        support: of the target; outside it the target is 0 and still counts.
        centres: of the target.
        weight: of each joint, 0 for one that is not visible.

    Example:
        >>> nothing, joints = torch.zeros(1, 1, 1, 3), torch.tensor([[[1.0, 0.0]]])
        >>> heatmap_mse(nothing, joints, sigma_cells=1.0)  # (0.6065**2 + 1 + 0.6065**2) / 3
        tensor([[0.5786]])
    """
    check(joints_cells, maps.shape[2:], sigma_cells)
    if maps.shape[:2] != joints_cells.shape[:2]:
        raise ValueError(
            f"heatmap_mse: expected as many maps as joints, got maps {tuple(maps.shape)} and "
            f"joints {tuple(joints_cells.shape)}"
        )
    if weight is not None and weight.shape != maps.shape[:2]:
        raise ValueError(
            f"weight: expected (B, J) = {tuple(maps.shape[:2])}, got {tuple(weight.shape)}"
        )
    joints = joints_cells.detach()
    if maps.dtype != torch.float64:
        joints = joints.float()
    counts = on_map(joints, maps.shape[2:]).to(joints.dtype)
    if weight is not None:
        counts = counts * weight.detach()
    return heatmap_mse_of(
        maps,
        joints,
        counts,
        sigma=float(sigma_cells),
        peak=float(peak),
        cut=support == "3sigma",
        quantised=centres == "quantised",
    )[0]


@define("heatmap_mse")
def heatmap_mse_of(
    maps: Tensor,
    joints: Tensor,
    weight: Tensor,
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
) -> tuple[Tensor, Tensor]:
    """Loss; map - Gaussian (torch path, else empty: the kernel computes it again)."""
    if use_triton(maps):
        from posezoo_kernels.heatmap_mse import forward  # noqa: PLC0415 - only where used

        loss = forward(maps, joints, weight, sigma=sigma, peak=peak, cut=cut, quantised=quantised)
        return loss, maps.new_empty(0)
    difference = difference_to_gaussian(
        maps, joints, sigma=sigma, peak=peak, cut=cut, quantised=quantised
    )
    return mean_square(difference, weight), difference


@define("heatmap_mse_backward")
def _heatmap_mse_backward(
    grad: Tensor,
    maps: Tensor,
    joints: Tensor,
    weight: Tensor,
    difference: Tensor,
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
) -> Tensor:
    if difference.ndim == 1:  # the path of the forward, wherever the backward is called
        from posezoo_kernels.heatmap_mse import backward  # noqa: PLC0415 - only where used

        return backward(
            grad, maps, joints, weight, sigma=sigma, peak=peak, cut=cut, quantised=quantised
        )
    return (difference * _each(grad, weight, maps)).to(maps.dtype)


def _each(grad: Tensor, weight: Tensor, maps: Tensor) -> Tensor:
    """What the difference of each joint's cells is multiplied by."""
    each = grad * weight * (2 / math.prod(maps.shape[2:]))
    return each.view(*each.shape, *[1] * (maps.ndim - 2))


def mean_square(
    difference: Tensor,  # (B, J, ...)
    weight: Tensor,  # (B, J)
) -> Tensor:  # (B, J)
    """The loss."""
    norm = torch.linalg.vector_norm(difference.flatten(2), dim=-1)
    return norm.square() * (weight / math.prod(difference.shape[2:]))


def difference_to_gaussian(
    maps: Tensor, joints: Tensor, *, sigma: float, peak: float, cut: bool, quantised: bool
) -> Tensor:
    """The maps less the Gaussians of `gaussian_heatmaps`."""
    target, *others = factors(
        joints,
        maps.shape[2:],
        sigma=sigma,
        peak=peak,
        cut=cut,
        quantised=quantised,
        dtype=joints.dtype,
    )
    for factor in others[:-1]:
        target = factor.reshape(*factor.shape, *[1] * (target.ndim - 2)) * target[:, :, None]
    last = others[-1].reshape(*others[-1].shape, *[1] * (target.ndim - 2))
    return torch.addcmul(maps.to(joints.dtype), last, target[:, :, None], value=-1)


def _setup(
    ctx: Any,
    inputs: tuple[Tensor, ...],
    keyword_only_inputs: dict[str, Any],
    output: tuple[Tensor, ...],
) -> None:
    ctx.save_for_backward(*inputs, output[1])
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.options = keyword_only_inputs
    ctx.spent = False


def _backward(ctx: Any, grad: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    """Alone, the torch path makes the difference the gradient; a second backward redoes it."""
    if grad is None:
        return None, None, None
    maps, joints, weight, difference = ctx.saved_tensors
    if difference.ndim == 1 or not getattr(ctx, "alone", False):
        change = _heatmap_mse_backward(grad, maps, joints, weight, difference, **ctx.options)
        return change, None, None
    if ctx.spent:
        difference = difference_to_gaussian(maps, joints, **ctx.options)
    ctx.spent = True
    return difference.data.mul_(_each(grad, weight, maps)).to(maps.dtype), None, None


heatmap_mse_of.register_autograd(_backward, setup_context=_setup)
