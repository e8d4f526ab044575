"""ResNet up to a chosen stage, with torchvision's parameter names.

He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv:1512.03385, in the form that
torchvision and timm ship: a bottleneck's stride sits in its 3x3 convolution. He's block conv4_x
(whose last unit is "4f" in ResNet-50) is `layer3` here, so the default cut is the source report's
Block A: stride 16, 1024 channels. Weights of torchvision's or timm's `resnet50` load as they are.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from posezoo.contracts import FeatureSpec

Cut = Literal["layer1", "layer2", "layer3", "layer4"]
_STAGES = ("layer1", "layer2", "layer3", "layer4")
_WIDTHS = (64, 128, 256, 512)
_STEM_STRIDE = 4


class ResNet(nn.Module):
    """Picture to one feature map, from the last stage kept."""

    mean: Tensor  # (3,) of ImageNet, RGB in [0, 1]
    std: Tensor  # (3,)

    def __init__(
        self,
        *,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        cut: Cut,
        layer3_stride: int,
    ) -> None:
        super().__init__()
        if layer3_stride not in (1, 2):
            raise ValueError(f"layer3_stride={layer3_stride}: expected 1 or 2")
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]), persistent=False)
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = _STAGES[: _STAGES.index(cut) + 1]
        strides = (1, 2, layer3_stride, 2)
        channels, stride = _WIDTHS[0], _STEM_STRIDE
        for name, width, depth, first in zip(_STAGES, _WIDTHS, depths, strides, strict=True):
            if name in self.stages:
                out = width * block.expansion
                units = [block(channels, width, stride=first)]
                units += [block(out, width, stride=1) for _ in range(depth - 1)]
                self.add_module(name, nn.Sequential(*units))
                channels, stride = out, stride * first
        self.features = (FeatureSpec(channels=channels, stride=stride),)
        self._initialise()

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:  # one map (B, C, H / stride, W / stride)
        """Compute the feature map."""
        x = (image - self.mean[:, None, None]) / self.std[:, None, None]
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return (x,)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            # Each unit starts as its shortcut alone (Goyal et al. 2017, arXiv:1706.02677).
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            if isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, width, h / stride, w / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 convolutions and a shortcut."""

    expansion = 4

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        out = width * self.expansion
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, 4 width, h / stride, w / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + self.downsample(x))


def _shortcut(channels: int, out: int, stride: int) -> nn.Module:
    if stride == 1 and channels == out:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
    )


def resnet18(*, cut: Cut = "layer3", layer3_stride: int = 2) -> ResNet:
    """ResNet-18; 256 channels at the default cut."""
    return ResNet(block=BasicBlock, depths=(2, 2, 2, 2), cut=cut, layer3_stride=layer3_stride)


def resnet34(*, cut: Cut = "layer3", layer3_stride: int = 2) -> ResNet:
    """ResNet-34; 256 channels at the default cut."""
    return ResNet(block=BasicBlock, depths=(3, 4, 6, 3), cut=cut, layer3_stride=layer3_stride)


def resnet50(*, cut: Cut = "layer3", layer3_stride: int = 2) -> ResNet:
    """ResNet-50; 1024 channels at the default cut, the source report's Block A.

    Args:
        cut: the last stage that is kept.
        layer3_stride: 2 as published, or 1: maps twice as large from there on.
    """
    return ResNet(block=Bottleneck, depths=(3, 4, 6, 3), cut=cut, layer3_stride=layer3_stride)


def resnet101(*, cut: Cut = "layer3", layer3_stride: int = 2) -> ResNet:
    """ResNet-101; 1024 channels at the default cut."""
    return ResNet(block=Bottleneck, depths=(3, 4, 23, 3), cut=cut, layer3_stride=layer3_stride)


def resnet152(*, cut: Cut = "layer3", layer3_stride: int = 2) -> ResNet:
    """ResNet-152; 1024 channels at the default cut."""
    return ResNet(block=Bottleneck, depths=(3, 8, 36, 3), cut=cut, layer3_stride=layer3_stride)
