"""mmpose's ResNet and HRNet with heatmaps, and its ResNet with SimCC.

The networks are the originals', name for name, below `backbone.` and `head.` (`keypoint_head.` in
mmpose 0.x). They read RGB. Files do not say which codec they were trained with: cells are taken to
lie where its MSRAHeatmap and SimCCLabel put them; those of its UDP configurations want the head's
`grid=aligned,decode=udp` (--as).
"""

from __future__ import annotations

import math

from torch import Tensor

from posezoo.weights.families._pictures import (
    DECONV,
    IMAGENET_INPUT,
    MAPS_OUTPUT,
    deconv_settings,
    is_resnet,
    joint_set_of,
    node,
    resnet_spec,
    run_maps,
    search,
)
from posezoo.weights.families.hrnet import hrnet_rules, hrnet_spec, is_hrnet
from posezoo.weights.family import Config, Family, Shapes, State

_TERMS = "Apache-2.0; trained on COCO or others, which have terms of their own"
_DROPPED = ("data_preprocessor.*", "backbone.fc.*", "ema_*", "steps")
_HEAD = r"(?:keypoint_)?head\."
_RESNET = (r"backbone\.((?:conv1|bn1|layer\d)\..+)", r"backbone.\1")


def _head(shapes: Shapes) -> str:
    return (
        "keypoint_head." if any(name.startswith("keypoint_head.") for name in shapes) else "head."
    )


def _final(shapes: Shapes) -> tuple[int, ...]:
    return shapes[f"{_head(shapes)}final_layer.weight"]


def _is_heatmap(shapes: Shapes, config: Config) -> bool:
    del config
    network = is_resnet(shapes, "backbone.") or is_hrnet(shapes, "backbone.")
    return network and f"{_head(shapes)}final_layer.weight" in shapes and not _has_bins(shapes)


def _heatmap_spec(shapes: Shapes, config: Config) -> str:
    del config
    settings = deconv_settings(shapes, _head(shapes))
    head = node("deconv", **settings, final_kernel=_final(shapes)[-1], grid="corner")
    is_high = is_hrnet(shapes, "backbone.")
    backbone = hrnet_spec(shapes, "backbone.") if is_high else resnet_spec(shapes, "backbone.")
    return f"{backbone}-{head}"


def _convert_heatmap(state: State, config: Config) -> dict[str, Tensor]:
    del config
    layers = sum("deconv_layers." in name and "running_mean" in name for name in state)
    is_high = is_hrnet(state, "backbone.")
    return state.rename(
        [
            (_HEAD + DECONV, r"head.branches.0.\1.\2"),
            (rf"{_HEAD}final_layer\.(.+)", rf"head.branches.0.{3 * layers}.\1"),
            *(hrnet_rules(r"backbone\.", "-")[:1] if is_high else [_RESNET]),
        ]
    )


def _has_bins(shapes: Shapes) -> bool:
    return "head.mlp_head_x.weight" in shapes and "head.mlp_head_y.weight" in shapes


def _is_simcc(shapes: Shapes, config: Config) -> bool:
    del config
    return is_resnet(shapes, "backbone.") and _has_bins(shapes)


def _simcc_final(shapes: Shapes) -> str:
    deep = "head.deconv_head.final_layer.weight"
    return deep if deep in shapes else "head.final_layer.weight"


def _simcc_spec(shapes: Shapes, config: Config) -> str:
    settings = deconv_settings(shapes, "head.deconv_head.")
    along_x, along_y = (shapes[f"head.mlp_head_{axis}.weight"] for axis in "xy")
    layers = settings["layers"]
    assert isinstance(layers, int)
    stride = 32 / 2**layers
    # As many cells as the layers read, and as many bins a px along x as along y.
    bins_per_px = math.sqrt(along_x[0] * along_y[0] / (along_x[1] * stride**2))
    told = search(config, "simcc_split_ratio")
    bins_per_px = bins_per_px if told is None else float(told)
    size = (round(along_y[0] / bins_per_px), round(along_x[0] / bins_per_px))
    head = node(
        "simcc",
        image_size=f"{size[0]}x{size[1]}",
        **settings,
        bins_per_px=f"{bins_per_px:g}",
        grid="corner",
    )
    return f"{resnet_spec(shapes, 'backbone.')}-{head}"


def _convert_simcc(state: State, config: Config) -> dict[str, Tensor]:
    del config
    layers = sum("deconv_layers." in name and "running_mean" in name for name in state)
    return state.rename(
        [
            (rf"head\.deconv_head\.{DECONV}", r"head.trunk.\1.\2"),
            (r"head\.(?:deconv_head\.)?final_layer\.(.+)", rf"head.trunk.{3 * layers}.\1"),
            (r"head\.mlp_head_x\.(.+)", r"head.along_x.\1"),
            (r"head\.mlp_head_y\.(.+)", r"head.along_y.\1"),
            _RESNET,
        ]
    )


FAMILIES = (
    Family(
        name="mmpose",
        project="open-mmlab/mmpose",
        paper="arXiv:1804.06208",
        licence="Apache-2.0",
        terms=_TERMS,
        input=IMAGENET_INPUT,
        output=MAPS_OUTPUT,
        scale="cell i is px 4 i, read with a quarter of a cell towards the greater neighbour",
        recognise=_is_heatmap,
        spec=_heatmap_spec,
        joint_set=lambda shapes, config: joint_set_of(_final(shapes)[0]),
        convert=_convert_heatmap,
        run=run_maps,
        unused=_DROPPED,
    ),
    Family(
        name="mmpose",
        project="open-mmlab/mmpose",
        paper="arXiv:2107.03332",
        licence="Apache-2.0",
        terms=_TERMS,
        input=IMAGENET_INPUT,
        output="logits of x (B, J, 2 W) and, behind them, of y (B, J, 2 H)",
        scale="bin i is px i / 2, the likeliest one",
        recognise=_is_simcc,
        spec=_simcc_spec,
        joint_set=lambda shapes, config: joint_set_of(shapes[_simcc_final(shapes)][0]),
        convert=_convert_simcc,
        run=run_maps,
        unused=_DROPPED,
    ),
)
