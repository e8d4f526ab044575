"""A small convolutional network: three stages of half the size each, with a residual unit in each.

For a first try, and for tests; a few hundred thousand weights at the default width.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from posezoo.contracts import FeatureSpec


class MyEntry(nn.Module):
    """Picture to one feature map of stride 8 and 4 x width channels."""

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 4 * width)
        self.stages = nn.Sequential(*(Halving(a, b) for a, b in pairwise(widths)))
        self.features = (FeatureSpec(channels=widths[-1], stride=8),)

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:  # one map (B, C, H / 8, W / 8)
        """Compute the feature map."""
        return (self.stages(2 * image - 1),)  # [0, 1] to [-1, 1]: no statistics to keep


class Halving(nn.Module):
    """Halve the size, then refine with a shortcut."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.down = _layer(channels, out, stride=2)
        self.refine = _layer(out, out, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, out, h / 2, w / 2), rounded up."""
        x = self.down(x)
        refined: Tensor = x + self.refine(x)
        return refined


def _layer(channels: int, out: int, *, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())
