"""Stacked hourglasses: see the whole at every scale, again and again.

Newell, Yang and Deng 2016, "Stacked Hourglass Networks for Human Pose Estimation",
arXiv:1603.06937, layer by layer as in the authors' code (pose-hg-train, `hg.lua`); their final
network has 8 stacks. Each stack gives a feature map, so a head can be supervised at all of them:
`hourglass:stacks=8-deconv:layers=0,supervise=all` is the paper's. Differs from it in two ways.
The authors also add each stack's heatmaps, through two 1x1 convolutions in a row, to the next
stack's input; a 1x1 convolution of the features is added there already, and the sum of the two is
again one, so `merges` can be any network of theirs. And residual units start as their shortcuts:
norms over a few cells amplify the gradient from unit to unit, and two fresh stacks had one of norm
1100, now 0.3 (noise, 2 pictures of 64 x 128 px).
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo.contracts import FeatureSpec
from posezoo.limits import Range

_DEPTH = 4  # times that a stack halves its map
_MOST_STACKS = 8
_STRIDE = 4


class StackedHourglass(nn.Module):
    """Picture to one feature map per stack, all of stride 4.

    `width` is the channels at that stride; each size below has `increase` more.

    Sides that are multiples of 64 px halve evenly down to the middle of each stack.
    """

    mean: Tensor  # (3,) zeros: the authors' network takes colours as they are
    std: Tensor  # (3,) ones

    def __init__(
        self,
        *,
        stacks: Annotated[int, Range(1, _MOST_STACKS)] = 2,
        width: Annotated[int, Range(2, 16384)] = 256,
        increase: Annotated[int, Range(0, 16384)] = 0,
    ) -> None:
        super().__init__()
        if width % 2 or increase % 2:
            raise ValueError(
                f"width={width}, increase={increase}: expected even numbers of channels"
            )
        self.features = (FeatureSpec(channels=width, stride=_STRIDE),) * stacks
        self.register_buffer("mean", torch.zeros(3), persistent=False)
        self.register_buffer("std", torch.ones(3), persistent=False)
        self.stem = nn.Sequential(
            _conv(3, 64, 7, stride=2),
            *_ready(64),
            Residual(64, 128),
            nn.MaxPool2d(2),
            Residual(128, 128),
            Residual(128, width),
        )
        self.stacks = nn.ModuleList(
            nn.Sequential(
                Hourglass(_DEPTH, width, increase),
                Residual(width, width),
                _conv(width, width, 1),
                *_ready(width),
            )
            for _ in range(stacks)
        )
        self.merges = nn.ModuleList(_conv(width, width, 1) for _ in range(stacks - 1))

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:  # a map (B, width, H / 4, W / 4) per stack
        """Compute the feature map of every stack, the first to the last."""
        x = self.stem((image - self.mean[:, None, None]) / self.std[:, None, None])
        maps = [self.stacks[0](x)]
        for merge, stack in zip(self.merges, self.stacks[1:], strict=True):
            x = x + merge(maps[-1])
            maps.append(stack(x))
        return tuple(maps)


class Hourglass(nn.Module):
    """Half the size, the same again inside, back to the size; a shortcut at each size."""

    def __init__(self, depth: int, width: int, increase: int) -> None:
        super().__init__()
        wider = width + increase
        self.shortcut = Residual(width, width)
        self.down = Residual(width, wider)
        self.inner = Hourglass(depth - 1, wider, increase) if depth > 1 else Residual(wider, wider)
        self.up = Residual(wider, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        y = functional.max_pool2d(x, 2, ceil_mode=True)  # an odd row or column is not lost
        y = self.up(self.inner(self.down(y)))
        y = functional.interpolate(y, scale_factor=2.0, mode="nearest")
        return self.shortcut(x) + y[..., : x.shape[-2], : x.shape[-1]]


class Residual(nn.Module):
    """1x1, 3x3, 1x1 convolutions, each after batch norm and ReLU, and a shortcut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        half = out // 2
        last = _conv(half, out, 1)
        nn.init.zeros_(last.weight)
        self.main = nn.Sequential(
            *_ready(channels), _conv(channels, half, 1), *_ready(half), _conv(half, half, 3),
            *_ready(half), last,
        )  # fmt: skip
        self.shortcut = nn.Identity() if channels == out else _conv(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, out, h, w)."""
        y: Tensor = self.main(x) + self.shortcut(x)
        return y


def _ready(channels: int) -> tuple[nn.Module, ...]:
    return nn.BatchNorm2d(channels), nn.ReLU(inplace=True)


def _conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
