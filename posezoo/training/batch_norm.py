"""Batch norm where ranks share a batch: each by its own items, or all by the whole batch.

`local`, each rank by its own items, costs nothing in a step and makes its batches smaller; the
running statistics are the mean of all ranks'. `sync` is the batch norm of one process with the
whole batch, to rounding: torch's own SyncBatchNorm on a GPU, and `SyncedBatchNorm` on a CPU, which
torch's refuses.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # what torch's own conversion looks for

from posezoo.ranks import Ranks, here


def sync(module: nn.Module, device: torch.device) -> None:
    """Let every batch norm inside be over all ranks; weights, buffers and names stay.

    Raises:
        ValueError: one of them is of a kind of its own.
    """
    for name, child in module.named_children():
        if not isinstance(child, _BatchNorm):
            sync(child, device)
            continue
        if type(child).forward is not _BatchNorm.forward or child.running_mean is None:
            raise ValueError(
                f"batch_norm=sync: {type(child).__name__} is a batch norm of its own kind, which "
                "cannot be made one over all processes. Type --set batch_norm=local"
            )
        own = device.type == "cpu"
        found = SyncedBatchNorm(child) if own else nn.SyncBatchNorm.convert_sync_batchnorm(child)
        setattr(module, name, found)


def average_statistics(module: nn.Module, ranks: Ranks) -> None:
    """Make the running statistics of the layers that learn the mean of all ranks'."""
    if ranks.size == 1:
        return
    layers = [each for each in module.modules() if isinstance(each, _BatchNorm) and each.training]
    own = [
        value
        for layer in layers
        if not isinstance(layer, nn.SyncBatchNorm)
        for value in (layer.running_mean, layer.running_var)
        if value is not None
    ]
    if own:
        means = ranks.mean(torch.cat(own)).split([len(value) for value in own])
        for value, mean in zip(own, means, strict=True):
            value.copy_(mean)


class SyncedBatchNorm(nn.Module):
    """A batch norm whose mean and variance are those of the items of all ranks.

    Args:
        norm: what it takes the place of, whose weights and buffers it goes on with.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.eps, self.momentum = norm.eps, norm.momentum or 0.0
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))
        self.train(norm.training)

    def forward(
        self,
        x: Tensor,  # (N, C, ...)
    ) -> Tensor:  # the same shape
        """Normalise."""
        if not self.training:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        others = [axis for axis in range(x.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        values = x.float()
        own = values.new_tensor([x.numel() / x.shape[1]])
        sums: Tensor = _Sum.apply(torch.cat([values.sum(others), own]))
        number = sums[-1].detach()
        mean = sums[:-1] / number
        centred = values - mean.view(shape)
        var: Tensor = _Sum.apply(centred.square().sum(others)) / number
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * number / (number - 1), self.momentum)
        scaled = centred * (var + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(x.dtype)


class _Sum(torch.autograd.Function):
    """The sum over ranks; what each adds has an effect on all."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return here().sum(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return here().sum(grad)
