"""The two networks of BlazePose: one that finds people, one that finds 33 joints in a crop.

V. Bazarevsky et al., BlazePose: On-device Real-time Body Pose tracking, arXiv:2006.10204. Written
from the operators of the published files; batch norms are folded into the convolutions there, so
here are none. Both have the same trunk, in two widths. Left out: the segmentation of the person.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad

PERSON_PX, LANDMARK_PX = 224, 256  # sides of the pictures that the networks see
NUM_ANCHORS, NUM_POINTS = 2254, 39
HEATMAP_CELLS = 64
_NOBODY = -5.0  # the logit that fresh weights give every anchor
# Stages of the trunk: the kernel of the depthwise convolutions, the stride of the first of them,
# how much wider than the block's input they are, and the number of blocks.
_STAGES = ((3, 2, 4, 2), (5, 2, 6, 2), (3, 2, 6, 3), (5, 1, 6, 3), (5, 2, 6, 4))


class PersonNetwork(nn.Module):
    """Picture to 2254 anchors: whether a person is there, its box and four points."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(widths=(16, 24, 40, 80, 112, 192))
        self.lateral8 = Separable(40, 96)
        self.lateral16 = Separable(112, 192)
        self.narrow16, self.narrow8 = nn.Conv2d(1152, 192, 1), nn.Conv2d(192, 96, 1)
        self.refine16 = nn.ModuleList(Separable(192, 192) for _ in range(2))
        self.refine8 = nn.ModuleList(Separable(96, 96) for _ in range(2))
        outputs = ((24, 2), (48, 2), (288, 6))  # channels and anchors a cell, stride 8, 16, 32
        scores = [Separable(c, n, stride=2) for c, n in outputs]
        for layer in scores:
            assert layer.pointwise.bias is not None
            nn.init.constant_(layer.pointwise.bias, _NOBODY)
        self.scores = nn.ModuleList(scores)
        self.boxes = nn.ModuleList(Separable(c, 12 * n, stride=2) for c, n in outputs)

    def forward(
        self,
        image: Tensor,  # (B, 3, 224, 224) RGB in [-1, 1]
    ) -> tuple[Tensor, Tensor]:  # (B, 2254, 12) px from the anchors, (B, 2254) logits
        """Compute box, points and logit of every anchor."""
        _, _, x8, x16, x32 = self.trunk(image)
        y16 = _relu6(self.lateral16(x16)) + _relu6(_doubled(self.narrow16(x32)))
        for layer in self.refine16:
            y16 = _relu6(y16 + layer(y16))
        y8 = _relu6(self.lateral8(x8)) + _relu6(_doubled(self.narrow8(y16)))
        for layer in self.refine8:
            y8 = _relu6(y8 + layer(y8))
        maps = [_depth_to_space(x) for x in (y8, y16, x32)]
        logits = [_rows(layer(x), 1) for layer, x in zip(self.scores, maps, strict=True)]
        boxes = [_rows(layer(x), 12) for layer, x in zip(self.boxes, maps, strict=True)]
        return torch.cat(boxes, 1), torch.cat(logits, 1).squeeze(-1)


class LandmarkNetwork(nn.Module):
    """Crop of one person to 39 points: 33 joints, 2 that say where to look next, 4 unused."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(widths=(16, 24, 32, 64, 88, 144))
        self.lateral4, self.lateral8 = Separable(24, 48), Separable(32, 48)
        self.lateral16, self.lateral32 = Separable(88, 48), Separable(864, 48)
        self.heatmaps = nn.Conv2d(48, NUM_POINTS, 1)
        self.narrow = Separable(864, 288)
        self.halve32, self.halve64 = (Separable(288, 288, stride=2, padding=0) for _ in range(2))
        self.refine32 = nn.ModuleList(Separable(288, 288) for _ in range(4))
        self.refine64 = nn.ModuleList(Separable(288, 288) for _ in range(5))
        self.points = nn.Conv2d(288, 5 * NUM_POINTS, 2)
        self.world = nn.Conv2d(288, 3 * NUM_POINTS, 2)
        self.flag = nn.Conv2d(288, 1, 2)

    def forward(
        self,
        image: Tensor,  # (B, 3, 256, 256) RGB in [0, 1]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute points, flag, heatmaps and world.

        Points (B, 39, 5): x, y and z in px of the crop, logits of visibility and presence. Flag
        (B,), 0 to 1: somebody is there. Heatmaps (B, 39, 64, 64): logits. World (B, 39, 3): metres
        around the hips, axes of the crop.
        """
        _, x4, x8, x16, x32 = self.trunk(image)
        y = _relu6(self.lateral32(x32, _relu6))
        for layer, x in ((self.lateral16, x16), (self.lateral8, x8), (self.lateral4, x4)):
            y = _doubled(y) + _relu6(layer(x, _relu6))
        z = _relu6(self.narrow(x32, _relu6))
        for halve, layers in ((self.halve32, self.refine32), (self.halve64, self.refine64)):
            # The padding of an even size at stride 2 is at its end alone.
            z = _relu6(max_pool2d(z, 2) + halve(pad(z, (0, 1, 0, 1)), _relu6))
            for each in layers:
                z = _relu6(z + each(z, _relu6))
        points = self.points(z).flatten(1).unflatten(1, (NUM_POINTS, 5))
        world = self.world(z).flatten(1).unflatten(1, (NUM_POINTS, 3))
        return points, self.flag(z).sigmoid()[:, 0, 0, 0], self.heatmaps(y), world


class Trunk(nn.Module):
    """Inverted residual blocks in five stages (arXiv:1801.04381)."""

    def __init__(
        self,
        *,
        widths: tuple[int, ...],  # channels after the stem's block, and after each stage
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, stride=2, padding=1)
        self.first = Separable(24, widths[0])
        self.stages = nn.ModuleList()
        for channels, out, (kernel, stride, factor, blocks) in zip(
            widths[:-1], widths[1:], _STAGES, strict=True
        ):
            first = Block(channels, out, kernel=kernel, stride=stride, factor=factor)
            more = (Block(out, out, kernel=kernel, factor=6) for _ in range(blocks - 1))
            self.stages.append(nn.Sequential(first, *more))
        self.expand = nn.Conv2d(widths[-1], 6 * widths[-1], 1)
        self.last = _depthwise(6 * widths[-1], 3)

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W)
    ) -> tuple[Tensor, ...]:  # maps of stride 2, 4, 8, 16 and 32
        """Compute the last map of each stride."""
        x = self.first(_relu6(self.stem(image)), _relu6)
        maps = [x]
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        x2, x4, x8, _, x16, _ = maps  # two stages share stride 16; of stride 32 more follows
        return x2, x4, x8, x16, _relu6(self.last(_relu6(self.expand(x))))


class Block(nn.Module):
    """Widen, convolve each channel by itself, narrow; added to the input where sizes are equal."""

    def __init__(
        self, channels: int, out: int, *, kernel: int, stride: int = 1, factor: int
    ) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, factor * channels, 1)
        self.depthwise = _depthwise(factor * channels, kernel, stride=stride)
        self.project = nn.Conv2d(factor * channels, out, 1)
        self.residual = channels == out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, out, h / stride, w / stride)."""
        y: Tensor = self.project(_relu6(self.depthwise(_relu6(self.expand(x)))))
        return x + y if self.residual else y


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, then a 1x1 convolution."""

    pointwise: nn.Conv2d

    def __init__(self, channels: int, out: int, *, stride: int = 1, padding: int = 1) -> None:
        super().__init__()
        self.depthwise = _depthwise(channels, 3, stride=stride, padding=padding)
        self.pointwise = nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, between: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """(B, C, h, w) to (B, out, h / stride, w / stride); `between` is an activation."""
        x = self.depthwise(x)
        y: Tensor = self.pointwise(x if between is None else between(x))
        return y


def _depthwise(
    channels: int, kernel: int, *, stride: int = 1, padding: int | None = None
) -> nn.Conv2d:
    padding = kernel // 2 if padding is None else padding
    return nn.Conv2d(channels, channels, kernel, stride=stride, padding=padding, groups=channels)


def _relu6(x: Tensor) -> Tensor:
    """In place: nothing else needs what it is given."""
    return x.clamp_(0.0, 6.0)


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _depth_to_space(x: Tensor) -> Tensor:
    """(B, 4 C, h, w) to (B, C, 2 h, 2 w): channels are block by block, unlike `PixelShuffle`'s."""
    batch, channels, height, width = x.shape
    x = x.view(batch, 2, 2, channels // 4, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(batch, channels // 4, 2 * height, 2 * width)


def _rows(x: Tensor, size: int) -> Tensor:
    """(B, n size, h, w) to (B, h w n, size): anchors row by row, those of a cell together."""
    return x.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, size))
