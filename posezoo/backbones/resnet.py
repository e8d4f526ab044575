"""ResNet up to a chosen stage, with torchvision's parameter names.

He et al. 2016, "Deep Residual Learning for Image Recognition", arXiv:1512.03385, in the form that
torchvision and timm ship: a bottleneck's stride sits in its 3x3 convolution. He's block conv4_x
(whose last unit is "4f" in ResNet-50) is `layer3` here, so the default cut is the source report's
Block A: stride 16, 1024 channels. Weights of torchvision's or timm's `resnet50` load as they are.
`width` is the stem's channels, 64 in the paper; `colours` is the order of the planes that the first
layer reads: published weights of 2018 were often trained on OpenCV's BGR. Pictures are RGB always.
"""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor, nn

from posezoo.backbones._colours import Colours, add_imagenet_colours
from posezoo.backbones._residual import BasicBlock, Bottleneck, initialise
from posezoo.contracts import FeatureSpec
from posezoo.limits import Range, Width

Stride3 = Annotated[int, Range(1, 2)]  # of layer3
Cut = Literal["layer1", "layer2", "layer3", "layer4"]
_STAGES = ("layer1", "layer2", "layer3", "layer4")
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
        width: int,
        colours: Colours,
    ) -> None:
        super().__init__()
        add_imagenet_colours(self)
        self.colours = colours
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = _STAGES[: _STAGES.index(cut) + 1]
        strides = (1, 2, layer3_stride, 2)
        channels, stride = width, _STEM_STRIDE
        widths = [width * 2**i for i in range(4)]
        for name, inner, depth, first in zip(_STAGES, widths, depths, strides, strict=True):
            if name in self.stages:
                out = inner * block.expansion
                units = [block(channels, inner, stride=first)]
                units += [block(out, inner) for _ in range(depth - 1)]
                self.add_module(name, nn.Sequential(*units))
                channels, stride = out, stride * first
        self.features = (FeatureSpec(channels=channels, stride=stride),)
        initialise(self)

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:  # one map (B, C, H / stride, W / stride)
        """Compute the feature map."""
        if self.colours == "bgr":
            image = image.flip(1)
        x = (image - self.mean[:, None, None]) / self.std[:, None, None]
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return (x,)


def resnet18(
    *, cut: Cut = "layer3", layer3_stride: Stride3 = 2, width: Width = 64, colours: Colours = "rgb"
) -> ResNet:
    """ResNet-18; 256 channels at the default cut."""
    return ResNet(
        block=BasicBlock,
        depths=(2, 2, 2, 2),
        cut=cut,
        layer3_stride=layer3_stride,
        width=width,
        colours=colours,
    )


def resnet34(
    *, cut: Cut = "layer3", layer3_stride: Stride3 = 2, width: Width = 64, colours: Colours = "rgb"
) -> ResNet:
    """ResNet-34; 256 channels at the default cut."""
    return ResNet(
        block=BasicBlock,
        depths=(3, 4, 6, 3),
        cut=cut,
        layer3_stride=layer3_stride,
        width=width,
        colours=colours,
    )


def resnet50(
    *, cut: Cut = "layer3", layer3_stride: Stride3 = 2, width: Width = 64, colours: Colours = "rgb"
) -> ResNet:
    """ResNet-50; 1024 channels at the default cut, the source report's Block A.

    Args:
        cut: the last stage that is kept.
        layer3_stride: 2 as published, or 1: maps twice as large from there on.
        width: channels of the first stage; the others follow it.
        colours: the order of colours, and their mean and deviation, that its weights were made for.
    """
    return ResNet(
        block=Bottleneck,
        depths=(3, 4, 6, 3),
        cut=cut,
        layer3_stride=layer3_stride,
        width=width,
        colours=colours,
    )


def resnet101(
    *, cut: Cut = "layer3", layer3_stride: Stride3 = 2, width: Width = 64, colours: Colours = "rgb"
) -> ResNet:
    """ResNet-101; 1024 channels at the default cut."""
    return ResNet(
        block=Bottleneck,
        depths=(3, 4, 23, 3),
        cut=cut,
        layer3_stride=layer3_stride,
        width=width,
        colours=colours,
    )


def resnet152(
    *, cut: Cut = "layer3", layer3_stride: Stride3 = 2, width: Width = 64, colours: Colours = "rgb"
) -> ResNet:
    """ResNet-152; 1024 channels at the default cut."""
    return ResNet(
        block=Bottleneck,
        depths=(3, 8, 36, 3),
        cut=cut,
        layer3_stride=layer3_stride,
        width=width,
        colours=colours,
    )
