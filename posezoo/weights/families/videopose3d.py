"""Temporal convolutions: facebookresearch/VideoPose3D, dilated or strided, causal or not.

The weights of all four are the same. Whether a file is causal it does not say, nor which joints it
is told: Human3.6M's if it predicts them, COCO's if it predicts HumanEva's.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.family import Config, Family, Shapes, State

_PREDICTED = {15: "humaneva15", 16: "h36m16", 17: "h36m17"}  # by their number
_RULES = (
    (r"expand_bn\.(.*)", r"lifter.stem.norm.\1"),
    (r"shrink\.bias", r"lifter.out.bias"),
)


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    return {"expand_conv.weight", "expand_bn.weight", "shrink.weight"} <= shapes.keys()


def _spec(shapes: Shapes, config: Config) -> str:
    _joint_set(shapes, config)  # refuses what is no pose before anything else is asked of it
    width, _, first = shapes["expand_conv.weight"]
    widths = [first]
    while (name := f"layers_conv.{2 * len(widths) - 2}.weight") in shapes:
        widths.append(shapes[name][2])
    parameters = [
        *(["causal=true"] if config.get("causal") else []),
        f"frames={prod(widths)}",
        "input=screen",
        *([f"joints2d={joints}"] if (joints := _told(shapes, config)) else []),
        f"width={width}",
        f"widths={'x'.join(map(str, widths))}",
    ]
    return f"tcn:{','.join(parameters)}"


def _told(shapes: Shapes, config: Config) -> str:
    """The set of the 2D joints, "" for that of the 3D joints."""
    told, predicted = shapes["expand_conv.weight"][1], shapes["shrink.weight"][0]
    if config.get("joints2d"):
        return str(config["joints2d"])
    if told * 3 == predicted * 2:
        return ""
    if (told, predicted) != (34, 45):
        raise ValueError(
            f"it is told {told} numbers a frame and predicts {predicted}: say of which joints, "
            '--config \'{"joints2d": "coco17"}\'; confidences are not understood'
        )
    return "coco17"


def _joint_set(shapes: Shapes, config: Config) -> str:
    del config
    joints = shapes["shrink.weight"][0] // 3
    if joints not in _PREDICTED:
        raise ValueError(
            f"it predicts {joints} joints, expected {', '.join(map(str, _PREDICTED))}; a net of "
            "one joint is a trajectory's (model_traj), not a pose's"
        )
    return _PREDICTED[joints]


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    found = state.rename(_RULES)
    found["lifter.out.weight"] = state.take("shrink.weight")[:, :, 0]
    found["lifter.stem.linear.weight"] = _taps(state.take("expand_conv.weight"))
    blocks = sum(name.startswith("layers_conv.") for name in state) // 2
    for block in range(blocks):
        for part, number in (("over_time", 2 * block), ("over_channels", 2 * block + 1)):
            ours = f"lifter.blocks.{block}.{part}"
            found[f"{ours}.linear.weight"] = _taps(state.take(f"layers_conv.{number}.weight"))
            found |= state.rename([(rf"layers_bn\.{number}\.(.*)", rf"{ours}.norm.\1")])
    return found


def _taps(
    weight: Tensor,  # (out, in, frames) of a convolution
) -> Tensor:  # (out, frames * in) of a linear layer that sees frame after frame
    return weight.transpose(1, 2).flatten(1)


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    del config
    outputs: Tensor = pipeline.lifter.network(inputs["input"].flatten(2))
    return outputs.unflatten(-1, (-1, 3))  # (B, T - frames + 1, J, 3)


FAMILIES = (
    Family(
        name="videopose3d",
        project="facebookresearch/VideoPose3D",
        paper="arXiv:1811.11742",
        licence="CC BY-NC 4.0",
        terms="CC BY-NC 4.0: no commercial use; trained on Human3.6M or HumanEva, whose own terms "
        "are academic",
        input="px in half widths of the picture, from its middle, of Human3.6M's 17 joints or "
        "COCO's",
        output="metres, camera frame, relative to the pelvis, of 17 joints of Human3.6M or 15",
        scale="metres times 1000; pictures are taken to Human3.6M's focal length first",
        recognise=_recognise,
        spec=_spec,
        joint_set=_joint_set,
        convert=_convert,
        run=_run,
        assumed=("not causal",),
        kept=("lifter.normalisation.*",),
    ),
)
