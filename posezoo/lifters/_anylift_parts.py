"""What `anylift` has beside its attention over joints: all places at once, and other frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posezoo.lifters._anylift_view import PLACES, SHARED, TOLD
from posezoo.lifters._blocks import Mlp, attention_block

SAID = 4  # numbers of a joint: x, y, z, log sigma
_HANDED = 32  # channels by which the perceptron speaks to a joint's token
_CLIP_WIDTH, _CLIP_HEADS = 64, 4  # channels of a token that hears other frames


def blocks_of(width: int, depth: int, heads: int, mlp_ratio: float) -> nn.ModuleList:
    """So many of a transformer's, for its caller to go through."""
    made = (attention_block(width, heads=heads, mlp_ratio=mlp_ratio) for _ in range(depth))
    return nn.ModuleList(made)


class Whole(nn.Module):
    """A perceptron that reads all places of a person at once: its first layer adds them up."""

    def __init__(self, width: int, joints: int, *, channels: int) -> None:
        super().__init__()
        # Of each place: what it is told there, that it is known, and that it is not.
        self.embed = nn.Parameter(torch.empty(PLACES.num_joints, TOLD + 2, width))
        self.shared = nn.Linear(SHARED, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), Mlp(width, width)) for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        self.hand = nn.Linear(width, joints * _HANDED)
        self.to_token = nn.Parameter(torch.empty(joints, _HANDED, channels))
        self.say = nn.Linear(width, joints * SAID)
        nn.init.trunc_normal_(self.embed[:, :TOLD], std=0.3)
        nn.init.trunc_normal_(self.embed[:, TOLD:], std=0.02)
        nn.init.trunc_normal_(self.to_token, std=_HANDED**-0.5)
        for weights in self.say.parameters():  # it starts with the mean pose as every answer
            nn.init.zeros_(weights)

    def forward(
        self,
        told: Tensor,  # (B, T, 31, 3)
        known: Tensor,  # (B, T, 31) bool
        person: Tensor,  # (B, T, 5)
    ) -> tuple[Tensor, Tensor]:  # (B, T, 17, channels) for the tokens, (B, T, 17, 4) for the answer
        here = known[..., None].to(told)
        told = torch.cat([told * here, here, 1 - here], -1).flatten(-2)
        x = told @ self.embed.flatten(0, 1) + self.shared(person)
        for block in self.blocks:
            x = x + block(x)
        x, joints = self.norm(x), len(self.to_token)
        handed = self.hand(x).unflatten(-1, (joints, -1))
        handed = torch.einsum("btjh,jhc->btjc", handed, self.to_token)
        return handed, self.say(x).unflatten(-1, (joints, SAID))


class OverFrames(nn.Module):
    """What the other frames change: every joint hears itself in those that there are."""

    def __init__(
        self,
        told: int,
        joints: int,
        *,
        frames: int,
        depth: int,
        mlp_ratio: float,
        causal: bool,
    ) -> None:
        super().__init__()
        self.causal, self.longest, width = causal, frames, _CLIP_WIDTH
        self.told = nn.Linear(told + SAID + TOLD, width)
        self.joint = nn.Parameter(torch.empty(joints, width))
        # What is added to the attention's logits, by how many frames later the other is: at first
        # some heads hear neighbours alone, and some the whole clip.
        fall = 2.0 * 0.05 ** torch.linspace(0, 1, _CLIP_HEADS)
        nearness = -fall[:, None] * torch.arange(1 - frames, frames).abs()
        self.nearness = nn.Parameter(nearness.repeat(depth, 1, 1))
        self.blocks = blocks_of(width, depth, _CLIP_HEADS, mlp_ratio)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Parameter(torch.zeros(joints, width, SAID))
        self.root = nn.Linear(width, 3)
        nn.init.trunc_normal_(self.joint, std=0.1)
        for weights in self.root.parameters():  # it starts with frames alone
            nn.init.zeros_(weights)

    def forward(
        self,
        told: Tensor,  # (B, T, 17, told + 7)
        there: Tensor,  # (B, T) bool: anything is known
    ) -> tuple[Tensor, Tensor]:  # (B, T, 17, 4) and (B, T, 3), added to what frames alone say
        x = (self.told(told) + self.joint).transpose(1, 2)  # (B, 17, T, C)
        frames = torch.arange(x.shape[2], device=x.device)
        later = frames - frames[:, None]
        heard = there[:, None] | (later == 0)  # (B, T, T)
        if self.causal:
            heard = heard & (later <= 0)
        muted = ~heard.repeat_interleave(x.shape[1], 0)[:, None]
        for block, nearness in zip(self.blocks, self.nearness, strict=True):
            bias = nearness[:, later + self.longest - 1].masked_fill(muted, -torch.inf)
            x = block(x.flatten(0, 1), bias).unflatten(0, x.shape[:2])
        x = self.norm(x).transpose(1, 2)
        others = (heard.sum(-1) > 1)[..., None].to(x)
        said = torch.einsum("btjc,jco->btjo", x, self.out)
        return said * others[..., None], self.root(x[:, :, 0]) * others
