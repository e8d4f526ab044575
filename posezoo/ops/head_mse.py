"""A 1x1 convolution and the heatmap MSE of what it gives, as one operation for training.

The last layer of a heatmap head reads C channels for each of J maps. Here the maps are never
stored: one sweep over the features gives the loss and, since the loss is one number whose
gradient is known but for a factor, the gradients of features, filters and bias as well.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from posezoo.ops.axes import wide
from posezoo.ops.dispatch import define, use_triton
from posezoo.ops.gaussian_heatmaps import Centres, Support, check, on_map
from posezoo.ops.heatmap_mse import difference_to_gaussian, heatmap_mse_of, mean_square


def head_mse(
    features: Tensor,  # (B, C, h, w)
    filters: Tensor,  # (J, C): the weight of nn.Conv2d(C, J, 1) without its last two axes
    bias: Tensor | None,  # (J,)
    joints_cells: Tensor,  # (B, J, 2) x, y in cells, centres at integers
    *,
    sigma_cells: float,
    peak: float = 1.0,
    support: Support = "full",
    centres: Centres = "unbiased",
    weight: Tensor | None = None,  # (B, J)
) -> Tensor:  # () float32 (float64 for float64 features)
    """Sum over people and joints of `heatmap_mse(conv(features), ...)`.

    For a mean, and for the loss's share in a total, give `weight`: its gradients are ready when it
    returns, and only an upstream gradient of exactly 1 costs nothing. Differentiable in features,
    filters and bias. Without gradients it is the two operations.

    Args:
        features: what the convolution reads, any floating dtype; its products are of this dtype.
        filters: of the convolution, any floating dtype.
        bias: of the convolution.
        joints_cells: true positions.
        sigma_cells: see `gaussian_heatmaps`, also for `peak`, `support` and `centres`.
        peak: of the target.
        support: of the target.
        centres: of the target.
        weight: of each joint, 0 for one that is not visible.

    Raises:
        ValueError: shapes do not fit.

    Example:
        >>> features, joints = torch.zeros(1, 2, 1, 3), torch.tensor([[[1.0, 0.0]]])
        >>> head_mse(features, torch.ones(1, 2), None, joints, sigma_cells=1.0)
        tensor(0.5786)
    """
    check(joints_cells, features.shape[2:], sigma_cells)
    check_filters(features, filters, bias, joints_cells.shape[1])
    if weight is not None and weight.shape != joints_cells.shape[:2]:
        raise ValueError(
            f"weight: expected (B, J) = {tuple(joints_cells.shape[:2])}, got {tuple(weight.shape)}"
        )
    if bias is None:
        bias = filters.new_zeros(len(filters))
    joints = joints_cells.detach().to(wide(features))
    counts = on_map(joints, features.shape[2:]).to(joints.dtype)
    if weight is not None:
        counts = counts * weight.detach()
    target: dict[str, Any] = {"sigma": float(sigma_cells), "peak": float(peak)}
    target |= {"cut": support == "3sigma", "quantised": centres == "quantised"}
    if not torch.is_grad_enabled():
        maps = convolution(features, filters.to(features.dtype), bias)
        return heatmap_mse_of(maps, joints, counts, **target)[0].sum()
    return _head_mse(features, filters, bias, joints, counts, **target)[0]


def check_filters(features: Tensor, filters: Tensor, bias: Tensor | None, maps: int) -> None:
    """Raise ValueError unless the filters read these features and give so many maps."""
    if features.ndim != 4 or filters.shape != (maps, features.shape[1]):
        raise ValueError(
            f"filters: expected {maps} maps of (B, C, h, w) features, (maps, C), got "
            f"{tuple(filters.shape)} for features {tuple(features.shape)}"
        )
    if bias is not None and bias.shape != (maps,):
        raise ValueError(f"bias: expected ({maps},), got {tuple(bias.shape)}")


def _fits(features: Tensor) -> bool:
    """Whether the kernel takes so many channels; wider features take the torch path."""
    from posezoo_kernels.head_mse import MOST_CHANNELS  # noqa: PLC0415 - only where used

    return bool(features.shape[1] <= MOST_CHANNELS)


@define("head_mse")
def _head_mse(
    features: Tensor,
    filters: Tensor,
    bias: Tensor,
    joints: Tensor,
    weight: Tensor,
    *,
    sigma: float,
    peak: float,
    cut: bool,
    quantised: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss, and its gradients by features, filters and bias."""
    kernel = filters.to(features.dtype)
    target: dict[str, Any] = {"sigma": sigma, "peak": peak, "cut": cut, "quantised": quantised}
    if use_triton(features) and _fits(features):
        from posezoo_kernels.head_mse import forward  # noqa: PLC0415 - only where used

        loss, change, filters_change, bias_change = forward(
            features, kernel, bias, joints, weight, **target
        )
        changes = filters_change.to(filters.dtype), bias_change.to(bias.dtype)
        return loss, change, *changes
    maps = convolution(features, kernel, bias)
    difference = difference_to_gaussian(maps, joints, **target)
    loss = mean_square(difference, weight).sum()
    each = weight * (2 / maps[0, 0].numel())
    slope = difference.mul_(each[..., None, None])
    change, filters_change = convolution_backward(slope, features, kernel)
    bias_change = slope.sum((0, 2, 3))
    return loss, change, filters_change.to(filters.dtype), bias_change.to(bias.dtype)


def convolution(
    features: Tensor,  # (B, C, h, w)
    kernel: Tensor,  # (N, C), of the features' type
    bias: Tensor,  # (N,)
) -> Tensor:  # (B, N, h, w) float32 (float64)
    """The 1x1 convolution in the features' type, also under autocast."""
    with torch.autocast(features.device.type, enabled=False):
        maps = F.conv2d(features, kernel[..., None, None]).to(wide(features))
    return maps.add_(bias[:, None, None])


def convolution_backward(
    slope: Tensor,  # (B, N, h, w)
    features: Tensor,  # (B, C, h, w)
    kernel: Tensor,  # (N, C)
) -> tuple[Tensor, Tensor]:  # (B, C, h, w), (N, C): of the features' type
    """Gradients of the features and of the kernel."""
    change, kernel_change, _ = torch.ops.aten.convolution_backward(
        slope.to(features.dtype),
        features,
        kernel[..., None, None],
        None,
        [1, 1],
        [0, 0],
        [1, 1],
        False,
        [0, 0],
        1,
        [True, True, False],
    )
    return change, kernel_change.view(kernel.shape)


def _setup(
    ctx: Any,
    inputs: tuple[Tensor, ...],
    keyword_only_inputs: dict[str, Any],
    output: tuple[Tensor, ...],
) -> None:
    ctx.save_for_backward(*inputs, *output[1:])
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)
    ctx.options = keyword_only_inputs
    ctx.spent = False


def _backward(ctx: Any, grad: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    """Alone, scale the features' gradient in place; a second backward computes it again."""
    if grad is None:
        return (None,) * 5
    *inputs, change, filters_change, bias_change = ctx.saved_tensors
    others = filters_change * grad, bias_change * grad, None, None
    if not getattr(ctx, "alone", False):
        return (change * grad).to(change.dtype), *others
    if ctx.spent:
        change = _head_mse(*inputs, **ctx.options)[1]
    ctx.spent = True
    return _scaled(change.data, grad), *others


def _scaled(change: Tensor, grad: Tensor) -> Tensor:
    if use_triton(change):
        from posezoo_kernels.head_mse import scale  # noqa: PLC0415 - only where used

        return scale(change, grad)
    if change.device.type == "cpu" and grad.item() == 1:  # on a GPU it would wait for the number
        return change
    return change.mul_(grad)


_head_mse.register_autograd(_backward, setup_context=_setup)
