"""Image classifiers of timm, torchvision and MAE as what our backbones start from.

ResNet and HRNet have torchvision's and timm's names here. The vision transformer has names of its
own, and learnt positions: those of a square picture are resampled to the backbone's shape, bicubic,
and the class token's is dropped with the token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import takewhile

from torch import Tensor, nn
from torch.nn import functional

from posezoo.weights.family import State
from posezoo.weights.reading import Warn

_TIMM = (
    (r"patch_embed\.proj\.(.*)", r"patch_embed.\1"),
    (r"blocks\.(\d+)\.attn\.(qkv|proj)\.(.*)", r"blocks.\1.\2.\3"),
    (r"blocks\.(\d+)\.mlp\.(fc[12])\.(.*)", r"blocks.\1.\2.\3"),
    (r"(blocks\.\d+\.norm[12]\..*)", r"\1"),
    (r"(norm\..*)", r"\1"),
    (r"pos_embed", "pos_embed"),
)
_BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."
_TORCHVISION = (
    (r"conv_proj\.(.*)", r"patch_embed.\1"),
    (_BLOCK + r"self_attention\.in_proj_(.*)", r"blocks.\1.qkv.\2"),
    (_BLOCK + r"self_attention\.out_proj\.(.*)", r"blocks.\1.proj.\2"),
    (_BLOCK + r"mlp\.(?:0|linear_1)\.(.*)", r"blocks.\1.fc1.\2"),
    (_BLOCK + r"mlp\.(?:3|linear_2)\.(.*)", r"blocks.\1.fc2.\2"),
    (_BLOCK + r"ln_([12])\.(.*)", r"blocks.\1.norm\2.\3"),
    (r"encoder\.ln\.(.*)", r"norm.\1"),
    (r"encoder\.pos_embedding", "pos_embed"),
)
_HEAD, _HUGE = 64, 1280  # numbers of a head, but for the huge one's 80
_RULES = {"patch_embed.proj.weight": _TIMM, "conv_proj.weight": _TORCHVISION}  # by a name of theirs


def as_part(state: Mapping[str, Tensor], part: nn.Module, *, warn: Warn) -> dict[str, Tensor]:
    """The tensors by the part's own names, those that it has no use for among them."""
    rules = next((rules for name, rules in _RULES.items() if name in state), None)
    own = part.state_dict()
    if rules is None or "pos_embed" not in own:
        return _wrapped(state, own)
    left = State(state)
    renamed = left.rename(rules)
    if "pos_embed" in renamed:
        positions, grid = renamed["pos_embed"], getattr(part, "grid", None)
        renamed["pos_embed"] = _resampled(positions, grid)
        width, heads = positions.shape[-1], next(_heads(part), None)
        usual = 16 if width == _HUGE else max(1, width // _HEAD)
        if heads not in (None, usual):
            warn(
                f"classifiers of {width} numbers a token have {usual} heads, this backbone has "
                f"{heads}, which no weight shows: heads={usual} if yours is one of them"
            )
    return left | renamed


def _heads(part: nn.Module) -> Iterator[int]:
    for module in part.modules():
        if isinstance(heads := getattr(module, "heads", None), int):
            yield heads


def _resampled(
    positions: Tensor,  # (1, 1 + side^2, C), or without the class token's
    grid: tuple[int, int] | None,  # h, w
) -> Tensor:  # (1, h w, C)
    side = math.isqrt(positions.shape[1])
    if grid is None or side**2 not in (positions.shape[1], positions.shape[1] - 1):
        return positions  # of another shape: whoever loads it says so
    square = positions[:, positions.shape[1] - side**2 :].transpose(1, 2).unflatten(2, (side, side))
    if grid != (side, side):
        square = functional.interpolate(square.float(), size=grid, mode="bicubic", antialias=True)
    return square.flatten(2).transpose(1, 2)


def _wrapped(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors below the name that all of the part's own names share.

    A network that is wrapped whole has its names below those of the wrapping.
    """
    places = zip(*(name.split(".") for name in own), strict=False)
    shared = takewhile(lambda names: len(set(names)) == 1, places)
    wrapping = "".join(f"{names[0]}." for names in shared)
    return {wrapping + name: value for name, value in state.items()}
