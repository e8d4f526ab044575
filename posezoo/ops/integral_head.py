"""A 1x1 convolution and the soft-argmax of its volumes, without the volumes.

Integral regression in three dimensions (Sun et al. 2018) gives each joint D maps: 64^3 cells and
17 joints are 18 MB a picture in float32, and as much again for their gradient. Here one joint's
at a time exist (torch path) or none (kernel); backward computes the logits again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from posezoo.ops.axes import affine, per_axis
from posezoo.ops.cell_moments import lever, mean_and_sum
from posezoo.ops.dispatch import define, use_triton
from posezoo.ops.head_mse import (
    check_filters,
    convolution,
    convolution_backward,
)
from posezoo.ops.softmax_weights import powers


def integral_head(
    features: Tensor,  # (B, C, h, w)
    filters: Tensor,  # (J * D, C): the weight of nn.Conv2d(C, J * D, 1) without its last two axes
    bias: Tensor | None,  # (J * D,)
    *,
    depth: int,
    inverse_temperature: float,
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
) -> Tensor:  # (B, J, 3) x, y, z: cells * scale + offset; float32 (float64 for float64 features)
    """`soft_argmax(conv(features).view(B, J, D, h, w), beta=inverse_temperature, ...)`.

    Differentiable in features, filters and bias. It saves memory, not time: the backward makes
    five products of matrices where stored logits need three.

    Args:
        features: what the convolution reads, any floating dtype; its products are of this dtype.
        filters: of the convolution, any floating dtype; D rows for each joint.
        bias: of the convolution.
        depth: D, cells of a volume along z.
        inverse_temperature: inverse temperature, see `soft_argmax`.
        scale: from cells to the caller's unit, one number or one per axis (x first).
        offset: likewise.

    Raises:
        ValueError: shapes do not fit.

    Example:
        >>> features = torch.zeros(1, 1, 1, 3)
        >>> features[..., 2] = 1.0  # both planes of the only joint read it
        >>> integral_head(features, torch.ones(2, 1), None, depth=2, inverse_temperature=50.0)
        tensor([[[2.0000, 0.0000, 0.5000]]])
    """
    if depth < 1 or len(filters) % depth:
        raise ValueError(f"depth: expected a divisor of {len(filters)} filters, got {depth!r}")
    check_filters(features, filters, bias, len(filters))
    return _integral_head(
        features,
        filters,
        filters.new_zeros(len(filters)) if bias is None else bias,
        depth=depth,
        beta=float(inverse_temperature),
        scale=per_axis(scale, 3, "scale"),
        offset=per_axis(offset, 3, "offset"),
    )[0]


def _fits(features: Tensor, depth: int) -> bool:
    """Whether the kernel takes so large a volume; larger ones take the torch path."""
    from posezoo_kernels.integral_head import MOST_PRODUCTS  # noqa: PLC0415 - only where used

    return bool(depth * features.shape[1] <= MOST_PRODUCTS)


@define("integral_head")
def _integral_head(
    features: Tensor,
    filters: Tensor,
    bias: Tensor,
    *,
    depth: int,
    beta: float,
    scale: list[float],
    offset: list[float],
) -> tuple[Tensor, Tensor]:
    """Positions; mean in cells, (of the kernel) maximum, and sum, for backward."""
    kernel = filters.to(features.dtype)
    if use_triton(features) and _fits(features, depth):
        from posezoo_kernels.integral_head import forward  # noqa: PLC0415 - only where used

        joints = len(filters) // depth
        return forward(
            features,
            kernel,
            bias,
            joints=joints,
            beta=beta,
            scale=scale,
            offset=offset,
        )
    saved = []
    for rows in range(0, len(filters), depth):
        own = slice(rows, rows + depth)
        w = _weights(features, kernel[own], bias[own], beta)
        saved.append(torch.cat(mean_and_sum(w), -1))
    kept = torch.cat(saved, 1)
    return affine(kept[..., :3], scale, offset), kept


@define("integral_head_backward")
def _integral_head_backward(
    grad: Tensor,
    features: Tensor,
    filters: Tensor,
    bias: Tensor,
    saved: Tensor,
    *,
    depth: int,
    beta: float,
    scale: list[float],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of features, filters and bias."""
    kernel = filters.to(features.dtype)
    if saved.shape[-1] == 5:  # the path of the forward, wherever the backward is called
        from posezoo_kernels.integral_head import backward  # noqa: PLC0415 - only where used

        joints = len(filters) // depth
        change, kernel_change, shift_change = backward(
            grad,
            features,
            kernel,
            bias,
            saved,
            joints=joints,
            beta=beta,
            scale=scale,
        )
        return change, kernel_change.to(filters.dtype), shift_change.to(bias.dtype)
    change = torch.zeros_like(features, dtype=saved.dtype)
    filters_change, bias_change = [], []
    slope = affine(grad.to(saved.dtype), [beta * s for s in scale]) / saved[..., 3:]
    sizes = [*reversed(features.shape[2:]), depth]
    for joint, rows in enumerate(range(0, len(filters), depth)):
        one, own = slice(joint, joint + 1), slice(rows, rows + depth)
        w = _weights(features, kernel[own], bias[own], beta)
        logits_change = lever(slope[:, one], saved[:, one, :3], sizes).mul_(w)[:, 0]
        bias_change.append(logits_change.sum((0, 2, 3)))
        part, kernel_change = convolution_backward(logits_change, features, kernel[own])
        change += part
        filters_change.append(kernel_change)
    return (
        change.to(features.dtype),
        torch.cat(filters_change).to(filters.dtype),
        torch.cat(bias_change).to(bias.dtype),
    )


def _weights(features: Tensor, kernel: Tensor, bias: Tensor, beta: float) -> Tensor:
    """Of one joint: (B, 1, D, h, w) float32 (float64)."""
    return powers(convolution(features, kernel, bias)[:, None], None, beta)


def _setup(
    ctx: Any,
    inputs: tuple[Tensor, ...],
    keyword_only_inputs: dict[str, Any],
    output: tuple[Tensor, ...],
) -> None:
    ctx.save_for_backward(*inputs, output[1])
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.options = {name: keyword_only_inputs[name] for name in ("depth", "beta", "scale")}


def _backward(ctx: Any, grad: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return None, None, None
    changes: tuple[Tensor, ...] = _integral_head_backward(grad, *ctx.saved_tensors, **ctx.options)
    return changes


_integral_head.register_autograd(_backward, setup_context=_setup)
