"""What transformers over joints and frames share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 2**16  # of a random number in `FastDropout`


class FastDropout(nn.Dropout):
    """Dropout whose masks cost little in bfloat16 on a CPU: 16 random bits a number.

    torch draws 32 for each, one at a time, which was a third of a training step in bfloat16. The
    share that is dropped is then a multiple of 2^-16. In float32 it is torch's own, to the bit.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(...) to the same."""
        if x.dtype != torch.bfloat16 or x.device.type != "cpu" or not self.training:
            return super().forward(x)
        dropped = round(self.p * _LEVELS)
        if dropped in (0, _LEVELS):
            return super().forward(x)
        four_each = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = four_each.view(torch.int16)[: x.numel()].view_as(x)  # -2^15 to 2^15 - 1, evenly
        return (x * (bits >= dropped - _LEVELS // 2)) * (_LEVELS / (_LEVELS - dropped))


class Attention(nn.Module):
    """Every token listens to all tokens, in `heads` shares of the channels."""

    def __init__(self, width: int, *, heads: int, bias: bool = True) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} channels do not divide into {heads} heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width)

    def forward(
        self,
        x: Tensor,  # (N, tokens, C)
        heard: Tensor | None = None,  # (N, 1 or heads, tokens or 1, tokens), bool, or added logits
    ) -> Tensor:  # (N, tokens, C)
        """Each token's mean of those that it listens to."""
        queries, keys, values = (
            self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )
        mean = _attend(queries, keys, values, heard)
        out: Tensor = self.proj(mean.transpose(1, 2).flatten(2))
        return out


def _attend(queries: Tensor, keys: Tensor, values: Tensor, heard: Tensor | None) -> Tensor:
    """Attention; in float32 where a CPU learns in bfloat16, whose gradient is a fifth as fast."""
    if queries.device.type == "cpu" and queries.dtype == torch.bfloat16 and queries.requires_grad:
        with torch.autocast("cpu", enabled=False):
            return _attend(queries.float(), keys.float(), values.float(), heard)
    if heard is not None and heard.dtype != torch.bool:
        heard = heard.to(queries)
    return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=heard)


class Mlp(nn.Module):
    """Linear, GELU, linear, on each token."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to the same."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class DropPath(nn.Module):
    """Leave a residual branch out for a share of the rows while training (stochastic depth)."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to the same."""
        if not (self.training and self.share):
            return x
        kept = torch.rand(len(x), *(1,) * (x.ndim - 1), device=x.device) >= self.share
        return x * kept / (1 - self.share)


class Block(nn.Module):
    """A mixer of tokens, then a perceptron, each behind a layer norm and beside a shortcut.

    Args:
        mixer: from (N, tokens, width) to the same.
        mlp_ratio: hidden units of the perceptron, per channel.
        eps: of the layer norms.
        drop_path: share of the branches that are left out while training.
        layer_scale: what learned factors of both branches start at; None: there are none.
    """

    def __init__(
        self,
        width: int,
        mixer: nn.Module,
        *,
        mlp_ratio: float,
        eps: float = 1e-6,
        drop_path: float = 0.0,
        layer_scale: float | None = None,
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.mixer, self.mlp = mixer, Mlp(width, round(width * mlp_ratio))
        self.drop_path = DropPath(drop_path)
        for name in ("scale1", "scale2"):
            scale = None if layer_scale is None else nn.Parameter(torch.full((width,), layer_scale))
            self.register_parameter(name, scale)

    def forward(self, x: Tensor, *heard: Tensor | None) -> Tensor:
        """(N, tokens, width) to the same; what is beside them goes to the mixer."""
        mixed = self.mixer(self.norm1(x), *heard)
        x = x + self.drop_path(mixed if self.scale1 is None else self.scale1 * mixed)
        changed = self.mlp(self.norm2(x))
        return x + self.drop_path(changed if self.scale2 is None else self.scale2 * changed)


def attention_block(width: int, *, heads: int, mlp_ratio: float, drop_path: float = 0.0) -> Block:
    """The block of most transformers."""
    mixer = Attention(width, heads=heads)
    return Block(width, mixer, mlp_ratio=mlp_ratio, drop_path=drop_path)


class Mix(nn.Module):
    """Two answers weighed against each other for each token; evenly before any training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(2 * width, 2)
        nn.init.zeros_(self.weigh.weight)
        nn.init.constant_(self.weigh.bias, 0.5)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Twice (..., width) to the same."""
        share = self.weigh(torch.cat([one, other], -1)).softmax(-1)
        return one * share[..., :1] + other * share[..., 1:]


def over_joints(
    block: Callable[[Tensor], Tensor],  # of (N, tokens, C)
    x: Tensor,  # (B, T, J, C)
) -> Tensor:  # (B, T, J, C)
    """The joints of each frame are the tokens."""
    return block(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def over_frames(
    block: Callable[[Tensor], Tensor],  # of (N, tokens, C)
    x: Tensor,  # (B, T, J, C)
) -> Tensor:  # (B, T, J, C)
    """The frames of each joint are the tokens."""
    return over_joints(block, x.transpose(1, 2)).transpose(1, 2)


def drop_path_shares(largest: float, depth: int) -> list[float]:
    """Of each block: from 0 in the first, evenly rising to the largest in the last."""
    return [largest * i / max(depth - 1, 1) for i in range(depth)]
