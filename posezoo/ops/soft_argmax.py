"""Soft-argmax: the expected position under a heatmap, differentiable, in 2D and in 3D.

softmax: p = exp(beta * map) / sum, x = sum of p * column (Sun et al. 2018, integral regression).
sum: p = relu(map) / sum, exact on clean non-negative maps and pulled to the middle by background.
Gradient in closed form: dx/dmap = beta * p * (column - x), so nothing but p is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from posezoo.ops.dispatch import define, per_axis, use_triton


def soft_argmax(
    maps: Tensor,  # (B, J, h, w) or (B, J, d, h, w)
    *,
    beta: float | Tensor | None = None,
    normalize: Literal["softmax", "sum"] = "softmax",
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
) -> Tensor:  # (B, J, 2) x, y or (B, J, 3) x, y, z: cells * scale + offset
    """Expected position per map, float32 whatever the maps' dtype (float64 for float64 maps).

    The temperature has no default because no value is right for all maps: on a perfect Gaussian
    the error is small near peak * beta = 25 (0.05 cells at 64x64) and large at 1 (28 cells).
    A map without a positive cell gives the middle of the map under `sum`, with gradient 0.

    Args:
        maps: logits, or values for `sum`; any floating dtype.
        beta: inverse temperature of `softmax`: a number, a tensor of one element, or one per
            joint (J,); a tensor gets its gradient. Must be absent for `sum`.
        normalize: how maps become probabilities.
        scale: from cells to the caller's unit, one number or one per axis (x first).
        offset: likewise; px = cells * scale + offset with `posezoo.geometry.cell_affine`.

    Raises:
        ValueError: the maps have a wrong shape, or beta is missing or useless.
    """
    return expectation(maps, beta, normalize, scale, offset, moments=False)[0]


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
            f"beta: normalize='softmax' needs it (a number with peak * beta near 25 is a good "
            f"start) and 'sum' does not take it; got normalize={normalize!r}, beta={beta!r}"
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
    """Positions; what backward needs per map: mean in cells, max, sum; p (torch path); moments."""
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
    values = maps.to(_wide(maps))
    if softmax:
        p = F.softmax(_scaled(values, learnt, beta).flatten(2), -1)
        norm = p.new_ones(p.shape[:2])
    else:
        p = values.relu().flatten(2)
        norm = p.sum(-1)
        p = torch.where(norm[..., None] > 0, p / norm[..., None], 1 / p.shape[-1])
    p = p.view(maps.shape)
    mean = torch.stack([(m * _cells(m)).sum(-1) for m in _marginals(p)], -1)
    axes = zip(mean.unbind(-1), scale, offset, strict=True)
    place = torch.stack([m * s + o for m, s, o in axes], -1)
    saved = torch.cat([mean, torch.zeros_like(norm)[..., None], norm[..., None]], -1)
    stats = _moments(p, mean, scale) if moments else p.new_empty((*p.shape[:2], 0))
    return place, saved, p, stats


@define("soft_argmax_backward")
def _soft_argmax_backward(
    grad: Tensor,
    maps: Tensor,
    learnt: Tensor | None,
    saved: Tensor,
    p: Tensor,
    *,
    beta: float,
    softmax: bool,
    scale: list[float],
) -> tuple[Tensor, Tensor]:
    """Gradient of the maps, and of the learnt temperature per map (B, J) (empty without one)."""
    if p.ndim == 1:  # the path of the forward, wherever the backward is called
        from posezoo_kernels.soft_argmax import backward  # noqa: PLC0415 - only where used

        return backward(grad, maps, learnt, saved, beta=beta, softmax=softmax, scale=scale)
    mean, norm = saved[..., :-2], saved[..., -1]
    axes = zip(grad.to(mean.dtype).unbind(-1), scale, strict=True)
    slope = torch.stack([g * s for g, s in axes], -1)
    if softmax and learnt is None:
        slope = slope * beta
    elif not softmax:
        slope = torch.where(norm[..., None] > 0, slope / norm[..., None], 0.0)
    lever: Tensor | None = None
    for axis, cells in enumerate(reversed(maps.shape[2:])):
        arm = torch.arange(cells, device=maps.device) - mean[..., axis, None]
        arm = (arm * slope[..., axis, None]).view(*arm.shape, *[1] * axis)
        lever = arm if lever is None else arm + lever[:, :, None]
    assert lever is not None
    if not softmax:
        return torch.where(maps > 0, lever, 0.0).to(maps.dtype), maps.new_empty(0)
    change = lever.mul_(p)
    if learnt is None:
        return change.to(maps.dtype), maps.new_empty(0)
    learnt_grad = (change * maps).flatten(2).sum(-1) * beta
    return _scaled(change, learnt, beta).to(maps.dtype), learnt_grad


def _wide(maps: Tensor) -> torch.dtype:
    return torch.float64 if maps.dtype == torch.float64 else torch.float32


def _scaled(values: Tensor, learnt: Tensor | None, beta: float) -> Tensor:
    if learnt is not None:
        return values * (learnt * beta).view(-1, *[1] * (values.ndim - 2))
    return values if beta == 1 else values * beta


def _marginals(p: Tensor) -> list[Tensor]:
    """Sums over all axes but one, x first."""
    if p.ndim == 5:
        plane = p.sum(2)
        return [plane.sum(-2), plane.sum(-1), p.sum((-2, -1))]
    return [p.sum(-2), p.sum(-1)]


def _moments(p: Tensor, mean: Tensor, scale: list[float]) -> Tensor:
    """Greatest p, entropy in nats, and covariance row by row: (B, J, 2 + n * n)."""
    flat = p.flatten(2)
    entropy = -(flat.clamp(min=torch.finfo(p.dtype).tiny).log_().mul_(flat)).sum(-1)
    marginals = _marginals(p)
    n = len(marginals)
    arms = [(_cells(m) - mean[..., a, None]) * scale[a] for a, m in enumerate(marginals)]
    cov = [[(m * arm * arm).sum(-1)] * n for m, arm in zip(marginals, arms, strict=True)]
    for a in range(n):
        for b in range(a + 1, n):
            plane = p if n == 2 else p.sum(p.ndim - 1 - (3 - a - b))  # (B, J, axis b, axis a)
            along = (plane * arms[a][..., None, :]).sum(-1)
            cov[a][b] = cov[b][a] = (along * arms[b]).sum(-1)
    return torch.stack([flat.amax(-1), entropy, *[c for row in cov for c in row]], -1)


def _cells(marginal: Tensor) -> Tensor:
    return torch.arange(marginal.shape[-1], dtype=marginal.dtype, device=marginal.device)


def _setup(
    ctx: Any,
    inputs: tuple[Tensor | None, ...],
    keyword_only_inputs: dict[str, Any],
    output: tuple[Tensor, ...],
) -> None:
    _, saved, p, stats = output
    ctx.save_for_backward(*inputs, saved, p)
    ctx.options = {name: keyword_only_inputs[name] for name in ("beta", "softmax", "scale")}
    ctx.mark_non_differentiable(saved, p, stats)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return None, None
    maps, learnt, saved, p = ctx.saved_tensors
    maps_grad, learnt_grad = _soft_argmax_backward(grad, maps, learnt, saved, p, **ctx.options)
    return maps_grad, None if learnt is None else learnt_grad.sum(0)


_soft_argmax.register_autograd(_backward, setup_context=_setup)
