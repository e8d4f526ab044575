"""HRNet: branches of four resolutions side by side, that exchange what they see again and again.

Sun, Xiao, Liu and Wang 2019, "Deep High-Resolution Representation Learning for Human Pose
Estimation", arXiv:1902.09212, with the parameter names of the authors' pose network. `width` is the
channels of the branch of stride 4; each coarser branch has twice as many. Defaults are HRNet-W32;
W48 is `width=48`. As published for poses, the last exchange goes to the finest branch only, whose
map the head reads; `outputs=all` exchanges to all four and gives all four maps.
Differs from the authors' code: units start as their shortcuts, and sides need not be multiples
of 32 px.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo.backbones._colours import add_imagenet_colours
from posezoo.backbones._residual import BasicBlock, Bottleneck, initialise
from posezoo.contracts import FeatureSpec
from posezoo.limits import Some, Width

_STEM, _STEM_STRIDE, _LAYER1_DEPTH = 64, 4, 4


class HrNet(nn.Module):
    """Picture to the map of stride 4, or to maps of stride 4, 8, 16 and 32.

    Args:
        width: channels of the finest branch.
        modules: exchanges in the stages of two, three and four branches.
        blocks: residual units of each branch before an exchange, in each of those stages.
        outputs: the finest map, or all four.
    """

    mean: Tensor  # (3,) of ImageNet, RGB in [0, 1]
    std: Tensor  # (3,)

    def __init__(
        self,
        *,
        width: Width = 32,
        modules: tuple[Some, Some, Some] = (1, 4, 3),
        blocks: tuple[Some, Some, Some] = (4, 4, 4),
        outputs: Literal["highest", "all"] = "highest",
    ) -> None:
        super().__init__()
        add_imagenet_colours(self)
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(3, _STEM, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.conv2 = nn.Conv2d(_STEM, _STEM, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_STEM)
        out = _STEM * Bottleneck.expansion
        self.layer1 = nn.Sequential(
            Bottleneck(_STEM, _STEM), *(Bottleneck(out, _STEM) for _ in range(_LAYER1_DEPTH - 1))
        )
        before = [out]
        for stage, (count, depth) in enumerate(zip(modules, blocks, strict=True), start=2):
            widths = [width * 2**i for i in range(stage)]
            to_all = [True] * (count - 1) + [stage < 4 or outputs == "all"]
            self.add_module(f"transition{stage - 1}", _transition(before, widths))
            exchanges = [Exchange(widths, depth, to_all=each) for each in to_all]
            self.add_module(f"stage{stage}", nn.Sequential(*exchanges))
            before = widths
        kept = before if outputs == "all" else before[:1]
        self.features = tuple(
            FeatureSpec(channels=c, stride=_STEM_STRIDE * 2**i) for i, c in enumerate(kept)
        )
        initialise(self)

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:  # (B, C_i, H / s_i, W / s_i), the finest first
        """Compute the feature maps."""
        x = (image - self.mean[:, None, None]) / self.std[:, None, None]
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer1(self.relu(self.bn2(self.conv2(x))))
        maps = [x]
        for stage in (2, 3, 4):
            transition: Any = self.get_submodule(f"transition{stage - 1}")
            sources = maps + maps[-1:]  # a new branch begins from the coarsest one there is
            maps = [change(x) for change, x in zip(transition, sources, strict=True)]
            maps = self.get_submodule(f"stage{stage}")(maps)
        return tuple(maps)


class Exchange(nn.Module):
    """Residual units in each branch, then every branch hears of every other."""

    def __init__(self, widths: list[int], depth: int, *, to_all: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(depth))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fuse(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths) if to_all else 1)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """One map for each branch to one for each, or to the finest alone."""
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        rows: Any = self.fuse_layers  # a list of modules knows not that they are lists
        for target, layers in enumerate(rows):
            size = maps[target].shape[-2:]
            heard = [_of_size(layer(x), size) for layer, x in zip(layers, maps, strict=True)]
            fused.append(torch.relu(functools.reduce(torch.add, heard)))
        return fused


def _of_size(x: Tensor, size: torch.Size) -> Tensor:
    return x if x.shape[-2:] == size else functional.interpolate(x, size=size, mode="nearest")


def _transition(before: list[int], widths: list[int]) -> nn.ModuleList:
    """From the branches of one stage to those of the next, which has one more."""
    changes: list[nn.Module] = [
        nn.Identity() if old == new else nn.Sequential(*_step(old, new, 1), nn.ReLU(inplace=True))
        for old, new in zip(before, widths, strict=False)
    ]
    last = nn.Sequential(*_step(before[-1], widths[-1], 2), nn.ReLU(inplace=True))
    return nn.ModuleList([*changes, nn.Sequential(last)])


def _fuse(widths: list[int], source: int, target: int) -> nn.Module:
    """From one branch to another: steps down of stride 2, or channels now and the size later."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(
            nn.Conv2d(widths[source], widths[target], 1, bias=False),
            nn.BatchNorm2d(widths[target]),
        )
    between = [
        nn.Sequential(*_step(widths[source], widths[source], 2), nn.ReLU(inplace=True))
        for _ in range(target - source - 1)
    ]
    return nn.Sequential(*between, nn.Sequential(*_step(widths[source], widths[target], 2)))


def _step(channels: int, out: int, stride: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out),
    )
