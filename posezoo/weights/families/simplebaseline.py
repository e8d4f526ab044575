"""Simple Baselines (microsoft/human-pose-estimation.pytorch): a ResNet and three deconvolutions.

These networks read OpenCV's planes, BGR, with RGB's statistics on them. The files of "caffe" style
have the same names and shapes, but their bottlenecks' stride sits in the first layer: those weights
cannot be told from the others, and are not meant here.
"""

from __future__ import annotations

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
)
from posezoo.weights.family import Config, Family, Shapes, State


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    return is_resnet(shapes) and "final_layer.weight" in shapes


def _spec(shapes: Shapes, config: Config) -> str:
    del config
    head = node(
        "deconv",
        **deconv_settings(shapes, ""),
        final_kernel=shapes["final_layer.weight"][-1],
        grid="corner",
    )
    return f"{resnet_spec(shapes, colours='bgr')}-{head}"


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    layers = sum(name.startswith("deconv_layers.") for name in state if "running_mean" in name)
    return state.rename(
        [
            (DECONV, r"head.branches.0.\1.\2"),
            (r"final_layer\.(.+)", rf"head.branches.0.{3 * layers}.\1"),
            (r"((?:conv1|bn1|layer\d)\..+)", r"backbone.\1"),
        ]
    )


FAMILIES = (
    Family(
        name="simplebaseline",
        project="microsoft/human-pose-estimation.pytorch",
        paper="arXiv:1804.06208",
        licence="MIT",
        terms="for research, as its README says; trained on COCO or MPII, whose terms bind too",
        input=IMAGENET_INPUT.replace("RGB", "BGR"),
        output=f"{MAPS_OUTPUT}, COCO's 17 joints or MPII's 16",
        scale="cell i is px 4 i, read with a quarter of a cell towards the greater neighbour",
        recognise=_recognise,
        spec=_spec,
        joint_set=lambda shapes, config: joint_set_of(shapes["final_layer.weight"][0]),
        convert=_convert,
        run=run_maps,
        unused=("fc.*",),
    ),
)
