"""DSNT: train a heatmap through its soft-argmax, with a regulariser of its shape (Nibali 2018).

loss[b, j] = weight * (distance(soft-argmax, joint) + strength * regulariser(softmax, Gaussian)).
The gradient is in closed form, so that forward and backward together read the maps twice and
write once. dsntnn's formulation makes 83 passes with the Jensen-Shannon regulariser.
Differs from dsntnn: cells rather than [-1, 1] (`scale` = 2 / width gives its numbers), and log of
the Gaussian is exact down to e^-43 per axis rather than cut at 1e-24.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from posezoo.ops.axes import per_axis
from posezoo.ops.dispatch import define, use_triton
from posezoo.ops.gaussian_heatmaps import check, on_map

Distance = Literal["euclidean", "l1"]
Regulariser = Literal["none", "js", "kl", "variance"]


def dsnt_loss(
    maps: Tensor,  # (B, J, h, w) logits
    joints_cells: Tensor,  # (B, J, 2) x, y in cells, centres at integers
    *,
    sigma_cells: float,
    inverse_temperature: float = 1.0,
    distance: Distance = "euclidean",
    regulariser: Regulariser = "js",
    strength: float = 1.0,
    scale: float | Sequence[float] = 1.0,
    weight: Tensor | None = None,  # (B, J)
) -> Tensor:  # (B, J) float32 (float64 for float64 maps), distance in cells * scale
    """Distance of the soft-argmax to the joint plus the regulariser, per joint.

    A joint off the map and a joint of weight 0 have loss 0 and gradient 0. Differentiable in the
    maps only.

    Args:
        maps: logits, any floating dtype.
        joints_cells: true positions.
        sigma_cells: of the Gaussian that the heatmap should resemble.
        inverse_temperature: inverse temperature of the softmax. DSNT learns the logits under 1.
        distance: sum over axes of absolute differences, or their Euclidean length.
        regulariser: Jensen-Shannon or Kullback-Leibler divergence (nats) of the heatmap from the
            Gaussian, or the sum over axes of (variance - sigma^2)^2 in the unit of `scale`.
        strength: of the regulariser.
        scale: from cells to the unit of the distance, one number or one per axis (x first).
        weight: of each joint.

    Example:
        >>> flat, joints = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 2)
        >>> dsnt_loss(flat, joints, sigma_cells=1.0, regulariser="none", scale=4.0)  # half a cell
        tensor([[2.]])
    """
    check(joints_cells, maps.shape[2:], sigma_cells)
    if maps.ndim != 4 or maps.shape[:2] != joints_cells.shape[:2]:
        raise ValueError(
            f"dsnt_loss: expected maps (B, J, h, w) and joints (B, J, 2), got "
            f"{tuple(maps.shape)} and {tuple(joints_cells.shape)}"
        )
    joints = joints_cells.detach().to(torch.float64 if maps.dtype == torch.float64 else torch.float)
    counts = on_map(joints, maps.shape[2:])
    joints = torch.where(counts.unsqueeze(-1), joints, 0.0)
    counts = counts.to(joints.dtype)
    return _dsnt_loss(
        maps,
        joints,
        counts if weight is None else counts * weight.detach(),
        beta=float(inverse_temperature),
        sigma=float(sigma_cells),
        strength=float(strength),
        scale=per_axis(scale, 2, "scale"),
        distance=distance,
        regulariser=regulariser,
    )[0]


@define("dsnt_loss")
def _dsnt_loss(
    maps: Tensor,
    joints: Tensor,
    weight: Tensor,
    *,
    beta: float,
    sigma: float,
    strength: float,
    scale: list[float],
    distance: str,
    regulariser: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss; what the kernel's backward needs; d loss / d maps (torch path, else empty)."""
    if use_triton(maps):
        from posezoo_kernels.dsnt_loss import forward  # noqa: PLC0415 - only where used

        return forward(
            maps,
            joints,
            weight,
            beta=beta,
            sigma=sigma,
            strength=strength,
            scale=scale,
            distance=distance,
            regulariser=regulariser,
        )
    height, width = maps.shape[2:]
    unit = torch.stack([joints.new_full((), s) for s in scale])
    log_p = F.log_softmax((maps.to(joints.dtype) * beta).flatten(2), -1).view(maps.shape)
    p = log_p.exp()
    arm_x = torch.arange(width, device=maps.device) - joints[..., 0, None]
    arm_y = torch.arange(height, device=maps.device) - joints[..., 1, None]
    marginal_x, marginal_y = p.sum(-2), p.sum(-1)
    off = torch.stack([(marginal_x * arm_x).sum(-1), (marginal_y * arm_y).sum(-1)], -1)
    far = off * unit
    if distance == "l1":
        value, slope = far.abs().sum(-1), far.sign() * unit
    else:
        value = far.norm(dim=-1)
        slope = far * unit / value.clamp(min=torch.finfo(far.dtype).tiny)[..., None]
    arm_x, arm_y = arm_x - off[..., 0, None], arm_y - off[..., 1, None]
    along_x, along_y = arm_x * slope[..., 0, None], arm_y * slope[..., 1, None]
    if regulariser == "variance":
        var_x, var_y = (marginal_x * arm_x**2).sum(-1), (marginal_y * arm_y**2).sum(-1)
        excess = (torch.stack([var_x, var_y], -1) - sigma**2) * unit**2
        value = value + strength * excess.square().sum(-1)
        bend = 2 * strength * excess * unit**2
        along_x = along_x + bend[..., 0, None] * (arm_x**2 - var_x[..., None])
        along_y = along_y + bend[..., 1, None] * (arm_y**2 - var_y[..., None])
    arm = along_y[..., :, None] + along_x[..., None, :]
    if regulariser in ("js", "kl"):
        log_q_x, log_q_y = _log_gaussian(joints, sigma, width, height)
        log_q = log_q_y[..., :, None] + log_q_x[..., None, :]
        # Products of factors: exp over a grid whose values underflow is slow on a CPU.
        q = log_q_y.exp()[..., :, None] * log_q_x.exp()[..., None, :]
        tiny = torch.finfo(p.dtype).tiny
        log_m = ((p + q) * 0.5).clamp_(min=tiny).log_() if regulariser == "js" else log_q
        log_ratio = log_p - log_m
        p_part = (p * log_ratio).flatten(2).sum(-1)
        if regulariser == "js":
            q_part = (q * (log_q - log_m)).flatten(2).sum(-1)
            value = value + (0.5 * strength) * (p_part + q_part)
        else:
            value = value + strength * p_part
        share = strength * (0.5 if regulariser == "js" else 1.0)
        arm = arm + share * (log_ratio - p_part[..., None, None])
    return (
        value * weight,
        maps.new_empty(0),
        p * arm * (weight * beta)[..., None, None],
    )


@define("dsnt_loss_backward")
def _dsnt_loss_backward(
    grad: Tensor,
    maps: Tensor,
    joints: Tensor,
    weight: Tensor,
    saved: Tensor,
    slope: Tensor,
    *,
    beta: float,
    sigma: float,
    strength: float,
    scale: list[float],
    distance: str,
    regulariser: str,
) -> Tensor:
    if slope.ndim == 1:  # the path of the forward, wherever the backward is called
        from posezoo_kernels.dsnt_loss import backward  # noqa: PLC0415 - only where used

        return backward(
            grad,
            maps,
            joints,
            weight,
            saved,
            beta=beta,
            sigma=sigma,
            strength=strength,
            scale=scale,
            distance=distance,
            regulariser=regulariser,
        )
    return (slope * grad[..., None, None]).to(maps.dtype)


def _log_gaussian(joints: Tensor, sigma: float, width: int, height: int) -> list[Tensor]:
    """Logarithm of the factors (B, J, w), (B, J, h) with sum 1, at least e^-43 of their peak."""
    logs = []
    for axis, cells in enumerate((width, height)):
        centre = joints[..., axis, None]
        grid = torch.arange(cells, dtype=joints.dtype, device=joints.device)
        least = ((centre + 0.5).floor() - centre).square()
        log = (((grid - centre).square() - least) * (-0.5 / sigma**2)).clamp(min=-43.0)
        logs.append(log - log.logsumexp(-1, keepdim=True))
    return logs


def _setup(
    ctx: Any,
    inputs: tuple[Tensor, ...],
    keyword_only_inputs: dict[str, Any],
    output: tuple[Tensor, ...],
) -> None:
    _, saved, slope = output
    ctx.save_for_backward(*inputs, saved, slope)
    ctx.mark_non_differentiable(saved, slope)
    ctx.set_materialize_grads(False)
    ctx.options = keyword_only_inputs


def _backward(ctx: Any, grad: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return None, None, None
    return _dsnt_loss_backward(grad, *ctx.saved_tensors, **ctx.options), None, None


_dsnt_loss.register_autograd(_backward, setup_context=_setup)
