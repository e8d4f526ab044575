"""What the families of networks on pictures share: reading sizes off shapes, and one way to run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.family import Config, Shapes

IMAGENET_INPUT = "RGB, (B, 3, H, W) in 0 to 1, minus ImageNet's mean, by its standard deviation"
MAPS_OUTPUT = "heatmaps (B, J, H/4, W/4) of Gaussians of height 1"
DECONV = r"deconv_layers\.(\d+)\.(.+)"  # the deconvolutions of Simple Baselines, by all its users

_UNITS = {  # of each stage: basic blocks, or bottlenecks
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
    (True, (3, 4, 23, 3)): "resnet101",
    (True, (3, 8, 36, 3)): "resnet152",
}
_USUAL_SET = {17: "coco17", 16: "mpii16", 26: "halpe26"}


def run_maps(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    """The heatmaps, of pictures as these originals were given them: normalised already."""
    del config
    maps: Tensor = pipeline.head(pipeline.backbone(as_picture(pipeline.backbone, inputs["input"])))
    return maps


def as_picture(
    backbone: Any,
    normalised: Tensor,  # (B, 3, H, W), planes in the order that the first layer reads
) -> Tensor:  # (B, 3, H, W) RGB in [0, 1]
    """What the backbone makes that input of."""
    picture: Tensor = normalised * backbone.std[:, None, None] + backbone.mean[:, None, None]
    return picture.flip(1) if getattr(backbone, "colours", "rgb") == "bgr" else picture


def joint_set_of(joints: int) -> str:
    """The set that so many joints usually are; else points without names."""
    return _USUAL_SET.get(joints, f"points{joints}")


def is_resnet(shapes: Shapes, prefix: str = "") -> bool:
    """Whether there is a ResNet up to its last stage, in torchvision's names."""
    return f"{prefix}bn1.weight" in shapes and f"{prefix}layer4.0.conv1.weight" in shapes


def resnet_spec(shapes: Shapes, prefix: str = "", **settings: object) -> str:
    """The backbone of these shapes, "resnet50:cut=layer4"."""
    units = tuple(count(shapes, f"{prefix}layer{stage}.", ".conv1.weight") for stage in range(1, 5))
    kind = (f"{prefix}layer1.0.conv3.weight" in shapes, units)
    if kind not in _UNITS:
        blocks = "bottlenecks" if kind[0] else "basic blocks"
        known = ", ".join(_UNITS.values())
        raise ValueError(
            f"a ResNet of {', '.join(map(str, units))} {blocks} is none that is known here: {known}"
        )
    width = shapes[f"{prefix}conv1.weight"][0]
    return node(_UNITS[kind], cut="layer4", width=None if width == 64 else width, **settings)


def count(shapes: Shapes, before: str, after: str) -> int:
    """How many names are `before`, a number, `after`."""
    return sum(
        name.startswith(before)
        and name.endswith(after)
        and name[len(before) : -len(after)].isdigit()
        for name in shapes
    )


def deconv_settings(shapes: Shapes, prefix: str) -> dict[str, object]:
    """Of `deconv` and others: how many deconvolutions, how wide, of what kernel.

    Raises:
        ValueError: they differ among themselves.
    """
    layers = count(shapes, f"{prefix}deconv_layers.", ".running_mean")
    if not layers:
        return {"layers": 0}
    weights = [shapes[f"{prefix}deconv_layers.{3 * i}.weight"] for i in range(layers)]
    return {"layers": layers} | equal_layers(weights)


def equal_layers(weights: Iterable[tuple[int, ...]]) -> dict[str, object]:
    """Width and kernel of deconvolutions whose weights have these shapes."""
    kinds = {(weight[1], weight[2]) for weight in weights}
    if len(kinds) > 1:
        told = ", ".join(f"{width} of kernel {kernel}" for width, kernel in sorted(kinds))
        raise ValueError(f"deconvolutions of several kinds ({told}) are none of ours")
    (width, kernel), *_ = kinds
    return {"width": width, "kernel": kernel}


def node(key: str, **settings: object) -> str:
    """A part of a spec, without the settings that are None."""
    told = ",".join(f"{name}={value}" for name, value in settings.items() if value is not None)
    return f"{key}:{told}" if told else key


def search(config: Any, *names: str) -> Any:
    """The first value of one of these names, at whatever depth of a configuration."""
    if not isinstance(config, Mapping):
        return None
    for name in names:
        if config.get(name) is not None:
            return config[name]
    for value in config.values():
        if (found := search(value, *names)) is not None:
            return found
    return None
