"""Integral human pose (JimmySuen/integral-human-pose): a ResNet, deconvolutions, and volumes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.families._pictures import (
    IMAGENET_INPUT,
    as_picture,
    count,
    equal_layers,
    is_resnet,
    node,
    resnet_spec,
    search,
)
from posezoo.weights.family import Config, Family, Shapes, State

_JOINTS = 18  # Human3.6M's 17 and a thorax
_LAST = "head.features.{}.weight"


def _layers(shapes: Mapping[str, object]) -> int:
    return count(dict.fromkeys(shapes, ()), "head.features.", ".running_mean")


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    return is_resnet(shapes, "backbone.") and _LAST.format(3 * _layers(shapes)) in shapes


def _depth_and_joints(shapes: Shapes, config: Config) -> tuple[int, int]:
    """Cells along z and joints, whose product the last layer has.

    Raises:
        ValueError: the product is not of 18 joints, and the configuration does not say.
    """
    maps = shapes[_LAST.format(3 * _layers(shapes))][0]
    depth = search(config, "depth_dim")
    joints = search(config, "num_joints") or (maps // depth if depth else _JOINTS)
    if maps % joints:
        raise ValueError(
            f"{maps} maps are not those of {joints} joints; add --config "
            '\'{"num_joints": J, "depth_dim": D}\''
        )
    return maps // joints, joints


def _spec(shapes: Shapes, config: Config) -> str:
    layers = _layers(shapes)
    weights = [shapes[_LAST.format(3 * i)] for i in range(layers)]
    head = node(
        "volumetric",
        depth=_depth_and_joints(shapes, config)[0],
        layers=layers,
        **(equal_layers(weights) if weights else {}),
        grid="corner",
    )
    return f"{resnet_spec(shapes, 'backbone.')}-{head}"


def _joint_set(shapes: Shapes, config: Config) -> str:
    joints = _depth_and_joints(shapes, config)[1]
    return {_JOINTS: "integral18", 17: "h36m17"}.get(joints, f"points{joints}")


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    last = 3 * _layers(state)
    return state.rename(
        [
            (rf"head\.features\.{last}\.(.+)", r"head.final.\1"),
            (r"head\.features\.(\d+)\.(.+)", r"head.trunk.\1.\2"),
            (r"backbone\.((?:conv1|bn1|layer\d)\..+)", r"backbone.\1"),
        ]
    )


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    """The volumes (B, J D, H/4, W/4): channel j D + z."""
    del config
    features = pipeline.backbone(as_picture(pipeline.backbone, inputs["input"]))
    volumes: Tensor = pipeline.head.volumes(features)
    return volumes.flatten(1, 2)


FAMILIES = (
    Family(
        name="integral",
        project="JimmySuen/integral-human-pose",
        paper="arXiv:1711.08229",
        licence="MIT",
        terms="MIT; trained on Human3.6M, whose own terms are academic",
        input=IMAGENET_INPUT,
        output="volume logits (B, J D, H/4, W/4), Human3.6M's 17 joints and a thorax",
        scale="x, y: cell i is px 4 i; z: D cells over 2000 mm, the pelvis in the middle; how far "
        "away a person is follows from the bones of an average adult",
        recognise=_recognise,
        spec=_spec,
        joint_set=_joint_set,
        convert=_convert,
        run=_run,
        unused=("backbone.fc.*",),
        kept=("head.volume.bone_energy",),
    ),
)
