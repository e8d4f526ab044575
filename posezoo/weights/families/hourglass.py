"""Stacked hourglasses (princeton-vl/pytorch_stacked_hourglass).

Between two stacks the original adds two 1x1 convolutions: one of the features, one of the heatmaps
that a third makes of them. Their sum is one convolution, which is what is kept. Its residuals all
have a `skip_layer`; it takes part only where the widths differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.families._pictures import count, joint_set_of, node
from posezoo.weights.family import Config, Family, Shapes, State

_UNIT = {  # of a residual, ours: norm, ReLU, convolution, three times
    "bn1": "main.0",
    "conv1.conv": "main.2",
    "bn2": "main.3",
    "conv2.conv": "main.5",
    "bn3": "main.6",
    "conv3.conv": "main.8",
    "skip_layer.conv": "shortcut",
}
_STEM = {"1": "3", "3": "5", "4": "6"}  # its residuals
_LEVEL = {"up1": "shortcut", "low1": "down", "low2": "inner", "low3": "up"}


def _spec(shapes: Shapes, config: Config) -> str:
    del config
    width = shapes["outs.0.conv.weight"][1]
    increase = shapes["hgs.0.0.low1.conv3.conv.weight"][0] - width
    backbone = node(
        "hourglass",
        stacks=count(shapes, "outs.", ".conv.weight"),
        width=width,
        increase=increase or None,
    )
    return f"{backbone}-deconv:layers=0,supervise=all,sigma_cells=1"


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    found = _merges(state)
    for name in list(state):
        renamed = _residual(name)
        if renamed is None and (match := re.fullmatch(r"pre\.0\.(conv|bn)\.(.+)", name)):
            renamed = f"backbone.stem.{'0' if match[1] == 'conv' else '1'}.{match[2]}"
        if renamed is None and (
            match := re.fullmatch(r"features\.(\d+)\.1\.(conv|bn)\.(.+)", name)
        ):
            renamed = f"backbone.stacks.{match[1]}.{'2' if match[2] == 'conv' else '3'}.{match[3]}"
        if renamed is None and (match := re.fullmatch(r"outs\.(\d+)\.conv\.(.+)", name)):
            renamed = f"head.branches.{match[1]}.0.{match[2]}"
        if renamed is not None:
            found[renamed] = state.pop(name)
    return _without_idle_shortcuts(found)


def _residual(name: str) -> str | None:
    """Our name of a tensor in a residual; None if it is in none."""
    match = re.fullmatch(rf"(.+?)\.({'|'.join(map(re.escape, _UNIT))})\.([a-z_]+)", name)
    if match is None:
        return None
    place, layer, leaf = match.groups()
    if stem := re.fullmatch(r"pre\.(\d+)", place):
        place = f"backbone.stem.{_STEM.get(stem[1], stem[1])}"
    elif feature := re.fullmatch(r"features\.(\d+)\.0", place):
        place = f"backbone.stacks.{feature[1]}.1"
    elif level := re.fullmatch(r"hgs\.(\d+)\.0\.(.+)", place):
        inner = ".".join(_LEVEL.get(part, part) for part in level[2].split("."))
        place = f"backbone.stacks.{level[1]}.0.{inner}"
    else:
        return None
    return f"{place}.{_UNIT[layer]}.{leaf}"


def _without_idle_shortcuts(found: dict[str, Tensor]) -> dict[str, Tensor]:
    idle = set()
    for name, tensor in found.items():
        if name.endswith(".shortcut.weight") and tensor.shape[0] == tensor.shape[1]:
            idle |= {name, name.removesuffix("weight") + "bias"}
    return {name: tensor for name, tensor in found.items() if name not in idle}


def _merges(state: State) -> dict[str, Tensor]:
    """X + f(features) + p(heatmaps(features)) as x + one convolution of the features."""
    found = {}
    for stack in range(count(dict.fromkeys(state, ()), "merge_preds.", ".conv.conv.weight")):
        own = f"merge_features.{stack}.conv.conv."
        maps = f"merge_preds.{stack}.conv.conv."
        out = {kind: state[f"outs.{stack}.conv.{kind}"].double() for kind in ("weight", "bias")}
        back = state.take(f"{maps}weight").double().flatten(1)
        weight = state.take(f"{own}weight").double().flatten(1) + back @ out["weight"].flatten(1)
        bias = state.take(f"{own}bias").double() + state.take(f"{maps}bias").double()
        found[f"backbone.merges.{stack}.weight"] = weight[..., None, None].float()
        found[f"backbone.merges.{stack}.bias"] = (bias + back @ out["bias"]).float()
    return found


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    del config
    maps: Tensor = pipeline.head(pipeline.backbone(inputs["input"].permute(0, 3, 1, 2)))
    return maps.unflatten(1, (len(pipeline.backbone.features), -1))


FAMILIES = (
    Family(
        name="stacked_hourglass",
        project="princeton-vl/pytorch_stacked_hourglass",
        paper="arXiv:1603.06937",
        licence="BSD-3-Clause",
        terms="BSD-3-Clause; trained on MPII, which has terms of its own",
        input="RGB, (B, H, W, 3) in 0 to 1, sides multiples of 64 px",
        output="heatmaps (B, stacks, J, H/4, W/4) of Gaussians of height 1, MPII's 16 joints",
        scale="the centre of cell i is px 4 i + 1.5, as everywhere here; a quarter of a cell moved",
        recognise=lambda shapes, config: (
            "hgs.0.0.up1.conv1.conv.weight" in shapes and "outs.0.conv.weight" in shapes
        ),
        spec=_spec,
        joint_set=lambda shapes, config: joint_set_of(shapes["outs.0.conv.weight"][0]),
        convert=_convert,
        run=_run,
    ),
)
