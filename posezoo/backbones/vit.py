"""The plain vision transformer, as ViTPose uses it.

Xu et al. 2022, "ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation",
arXiv:2204.12484, after Dosovitskiy et al. 2020, arXiv:2010.11929. Patches of 16 px, cut with a
margin of 2 px around the picture, become tokens; a learnt position is added to each; then
pre-norm blocks, a last norm, and the tokens are a map of stride 16. There is no class token.
ViTPose+ (arXiv:2212.04246) has a last layer in each MLP whose last `expert_width` numbers come
from one of several `experts`, one for each data set; `expert` says which.
Differs from the authors' code: the position that theirs adds to all tokens alike (the class
token's) is part of each token's own here, and positions are resampled for other picture sizes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo.backbones._colours import add_imagenet_colours
from posezoo.contracts import FeatureSpec
from posezoo.limits import Heads, Layers, Range, Side, Width

_PATCH, _MARGIN = 16, 2  # px
_VARIANTS = {  # width, depth, heads
    "small": (384, 12, 12),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}


class VisionTransformer(nn.Module):
    """Picture to one map of stride 16.

    Args:
        variant: ViTPose-S, -B, -L or -H.
        width: numbers of a token; the variant's if none is given, as with depth and heads.
        depth: blocks.
        heads: of each attention; a divisor of the width.
        hidden: width of the MLPs over that of a token.
        image_size: height and width in px for which there are learnt positions.
        norm_eps: of the norms. Transformers' configurations say 1e-12.
        experts: of ViTPose+; 0: none.
        expert_width: numbers of a token that an expert gives.
        expert: the one in use.
    """

    mean: Tensor  # (3,) of ImageNet, RGB in [0, 1]
    std: Tensor  # (3,)

    def __init__(
        self,
        *,
        variant: Literal["small", "base", "large", "huge"] = "small",
        width: Width | None = None,
        depth: Layers | None = None,
        heads: Heads | None = None,
        hidden: Annotated[float, Range(0, 64, above=True)] = 4.0,
        image_size: tuple[Side, Side] = (256, 192),
        norm_eps: Annotated[float, Range(0, 1, above=True)] = 1e-6,
        experts: Annotated[int, Range(0, 64)] = 0,
        expert_width: Annotated[int, Range(0, 16384)] = 0,
        expert: Annotated[int, Range(0, 63)] = 0,
    ) -> None:
        super().__init__()
        sizes = zip((width, depth, heads), _VARIANTS[variant], strict=True)
        width, depth, heads = (usual if given is None else given for given, usual in sizes)
        if width % heads:
            raise ValueError(f"width={width}, heads={heads}: expected heads that divide the width")
        whole = 0 < expert_width < width if experts else expert_width == 0
        if expert >= max(experts, 1) or not whole:
            raise ValueError(
                f"experts={experts}, expert_width={expert_width}, expert={expert}: expected one of "
                "the experts, counted from 0, that gives fewer numbers than the width"
            )
        add_imagenet_colours(self)
        self.features = (FeatureSpec(channels=width, stride=_PATCH),)
        self.grid = (image_size[0] // _PATCH, image_size[1] // _PATCH)  # h, w of the positions
        self.patch_embed = nn.Conv2d(3, width, _PATCH, stride=_PATCH, padding=_MARGIN)
        self.pos_embed = nn.Parameter(torch.empty(1, self.grid[0] * self.grid[1], width))
        self.blocks = nn.ModuleList(
            Block(
                width=width,
                heads=heads,
                hidden=round(hidden * width),
                norm_eps=norm_eps,
                experts=experts,
                expert_width=expert_width,
                expert=expert,
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps=norm_eps)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:  # one map (B, C, H / 16, W / 16)
        """Compute the feature map."""
        x = (image - self.mean[:, None, None]) / self.std[:, None, None]
        x = self.patch_embed(x)
        height, width = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2) + self._positions(height, width)
        for block in self.blocks:
            x = block(x)
        return (self.norm(x).transpose(1, 2).unflatten(2, (height, width)).contiguous(),)

    def _positions(self, height: int, width: int) -> Tensor:  # (1, height * width, C)
        if (height, width) == self.grid:
            return self.pos_embed
        own = self.pos_embed.transpose(1, 2).unflatten(2, self.grid)
        resampled = functional.interpolate(own, size=(height, width), mode="bicubic")
        return resampled.flatten(2).transpose(1, 2)


class Block(nn.Module):
    """Tokens look at each other, then each thinks for itself."""

    def __init__(
        self,
        *,
        width: int,
        heads: int,
        hidden: int,
        norm_eps: float,
        experts: int,
        expert_width: int,
        expert: int,
    ) -> None:
        super().__init__()
        self.heads, self.expert = heads, expert
        self.norm1 = nn.LayerNorm(width, eps=norm_eps)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=norm_eps)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width - (expert_width if experts else 0))
        self.experts = nn.ModuleList(nn.Linear(hidden, expert_width) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to the same."""
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).unbind(2)
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))  # (B, heads, N, C / heads)
        seen = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(seen.transpose(1, 2).flatten(2))
        inner = functional.gelu(self.fc1(self.norm2(x)))
        y = self.fc2(inner)
        if self.experts:
            y = torch.cat([y, self.experts[self.expert](inner)], -1)
        return x + y
