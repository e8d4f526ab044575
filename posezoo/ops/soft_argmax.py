"""Soft-argmax: the expected position under a heatmap, differentiable, in 2D and in 3D.

softmax: p = exp(beta * map) / sum, x = sum of p * column (Sun et al. 2018, integral regression).
sum: p = relu(map) / sum, exact on clean non-negative maps and pulled to the middle by background.
Gradient in closed form: dx/dmap = beta * p * (column - x), so nothing but p is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from posezoo.ops.axes import affine, per_axis, wide
from posezoo.ops.cell_moments import (
    lever,
    mean_and_sum,
    middle_if_empty,
    peak_entropy_covariance,
)
from posezoo.ops.dispatch import define, use_triton
from posezoo.ops.softmax_weights import powers, scaled


def soft_argmax(
    maps: Tensor,  # (B, J, h, w) or (B, J, d, h, w)
    *,
    inverse_temperature: float | Tensor | None = None,
    normalize: Literal["softmax", "sum"] = "softmax",
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
) -> Tensor:  # (B, J, 2) x, y or (B, J, 3) x, y, z: cells * scale + offset
    """Expected position per map, float32 whatever the maps' dtype (float64 for float64 maps).

    The temperature has no default because no value is right for all maps: on a perfect Gaussian
    the error is small near peak * inverse_temperature = 25 (0.05 cells at 64x64) and large at 1
    (28 cells).
    A map without a positive cell gives the middle of the map under `sum`, with gradient 0.

    Args:
        maps: logits, or values for `sum`; any floating dtype.
        inverse_temperature: of `softmax`: a number, a tensor of one element, or one per joint (J,);
            a tensor gets its gradient. Must be absent for `sum`.
        normalize: how maps become probabilities.
        scale: from cells to the caller's unit, one number or one per axis (x first).
        offset: likewise; px = cells * scale + offset with `posezoo.geometry.cell_affine`.

    Raises:
        ValueError: the maps have a wrong shape, or inverse_temperature is missing or useless.

    Example:
        >>> maps = torch.tensor([[[[0.0, 2.0, 0.0, 2.0]]]])  # one row of four cells
        >>> soft_argmax(maps, inverse_temperature=50.0)  # between the two greatest
        tensor([[[2., 0.]]])
        >>> soft_argmax(maps, inverse_temperature=50.0, scale=4.0, offset=1.5)  # px at stride 4
        tensor([[[9.5000, 1.5000]]])
    """
    return expectation(maps, inverse_temperature, normalize, scale, offset, moments=False)[0]


def expectation(
    maps: Tensor,
    beta: float | Tensor | None,
    normalize: str,
    scale: float | Sequence[float],
    offset: float | Sequence[float],
    *,
    moments: bool,
) -> tuple[Tensor, Tensor]:  # (B, J, n) and (B, J, 2 + n * n), empty without `moments`
    """Positions, and peak, entropy and covariance, of one read; checks for both callers."""
    if maps.ndim not in (4, 5):
        raise ValueError(f"maps: expected (B, J, h, w) or (B, J, d, h, w), got {tuple(maps.shape)}")
    if normalize not in ("softmax", "sum"):
        raise ValueError(f"normalize: expected softmax or sum, got {normalize!r}")
    if (beta is None) == (normalize == "softmax"):
        raise ValueError(
            "inverse_temperature: normalize='softmax' needs it (a number with peak * "
            "inverse_temperature near 25 is a good start) and 'sum' does not take it; got "
            f"normalize={normalize!r}, inverse_temperature={beta!r}"
        )
    learnt = beta.expand(maps.shape[1]) if isinstance(beta, Tensor) else None
    fixed = 1.0 if learnt is not None or beta is None else float(beta)
    axes = maps.ndim - 2
    place, _, _, stats = _soft_argmax(
        maps,
        learnt,
        beta=fixed,
        softmax=normalize == "softmax",
        moments=moments,
        scale=per_axis(scale, axes, "scale"),
        offset=per_axis(offset, axes, "offset"),
    )
    return place, stats


@define("soft_argmax")
def _soft_argmax(
    maps: Tensor,
    learnt: Tensor | None,  # (J,) inverse temperature, multiplies `beta`
    *,
    beta: float,
    softmax: bool,
    moments: bool,
    scale: list[float],
    offset: list[float],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Positions; mean in cells and sum, for backward; p * sum (torch path, else empty); moments."""
    if use_triton(maps):
        from posezoo_kernels.soft_argmax import forward  # noqa: PLC0415 - only where used

        return forward(
            maps,
            learnt,
            beta=beta,
            softmax=softmax,
            moments=moments,
            scale=scale,
            offset=offset,
        )
    values = maps.to(wide(maps))
    w = powers(values, learnt, beta) if softmax else values.relu()
    mean, norm = mean_and_sum(w)
    if not softmax:
        mean = middle_if_empty(mean, norm, list(reversed(maps.shape[2:])))
    stats = peak_entropy_covariance(w, norm, mean, scale) if moments else w.new_empty(0)
    return affine(mean, scale, offset), torch.cat([mean, norm], -1), w, stats


@define("soft_argmax_backward")
def _soft_argmax_backward(
    grad: Tensor,
    maps: Tensor,
    learnt: Tensor | None,
    saved: Tensor,
    w: Tensor,
    *,
    beta: float,
    softmax: bool,
    scale: list[float],
) -> tuple[Tensor, Tensor]:
    """Gradient of the maps, and of the learnt temperature per map (B, J) (empty without one)."""
    if w.ndim == 1:  # the path of the forward, wherever the backward is called
        from posezoo_kernels.soft_argmax import backward  # noqa: PLC0415 - only where used

        return backward(
            grad,
            maps,
            learnt,
            saved,
            beta=beta,
            softmax=softmax,
            scale=scale,
        )
    sizes = list(reversed(maps.shape[2:]))
    mean, norm = saved[..., :-1], saved[..., -1:]
    slope = affine(
        grad.to(mean.dtype),
        scale if learnt is not None else [beta * s for s in scale],
    )
    slope = slope / norm if softmax else torch.where(norm > 0, slope / norm, 0.0)
    arm = lever(slope, mean, sizes)
    if not softmax:
        return torch.where(maps > 0, arm, 0.0).to(maps.dtype), maps.new_empty(0)
    change = arm.mul_(w)
    if learnt is None:
        return change.to(maps.dtype), maps.new_empty(0)
    learnt_grad = (change * maps).flatten(2).sum(-1) * beta
    return scaled(change, learnt, beta).to(maps.dtype), learnt_grad


def _setup(
    ctx: Any,
    inputs: tuple[Tensor | None, ...],
    keyword_only_inputs: dict[str, Any],
    output: tuple[Tensor, ...],
) -> None:
    _, saved, w, stats = output
    ctx.save_for_backward(*inputs, saved, w)
    ctx.options = {name: keyword_only_inputs[name] for name in ("beta", "softmax", "scale")}
    ctx.mark_non_differentiable(saved, w, stats)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return None, None
    maps, learnt, saved, w = ctx.saved_tensors
    maps_grad, learnt_grad = _soft_argmax_backward(grad, maps, learnt, saved, w, **ctx.options)
    return maps_grad, None if learnt is None else learnt_grad.sum(0)


_soft_argmax.register_autograd(_backward, setup_context=_setup)
