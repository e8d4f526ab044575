"""HRNet for poses (leoxiaobin/deep-high-resolution-net.pytorch), and the same network in mmpose."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.weights.families._pictures import (
    IMAGENET_INPUT,
    MAPS_OUTPUT,
    count,
    joint_set_of,
    node,
    run_maps,
)
from posezoo.weights.family import Config, Family, Shapes, State


def is_hrnet(shapes: Mapping[str, object], prefix: str) -> bool:
    """Whether there is HRNet's last stage of branches."""
    return f"{prefix}stage4.0.branches.3.0.conv1.weight" in shapes


def hrnet_spec(shapes: Shapes, prefix: str) -> str:
    """The backbone of these shapes, "hrnet:width=32".

    Raises:
        ValueError: its branches do not double their channels, or are of several depths.
    """
    stages = {}
    width = shapes[f"{prefix}stage2.0.branches.0.0.conv1.weight"][0]
    for stage in (2, 3, 4):
        start = f"{prefix}stage{stage}."
        branches = [
            (shapes[f"{start}0.branches.{i}.0.conv1.weight"][0],
             count(shapes, f"{start}0.branches.{i}.", ".conv1.weight"))
            for i in range(stage)
        ]  # fmt: skip
        depth = branches[0][1]
        if branches != [(width * 2**i, depth) for i in range(stage)]:
            told = ", ".join(f"{c} channels, {n} units" for c, n in branches)
            raise ValueError(f"stage {stage} has branches of {told}: none of ours")
        stages[stage] = (count(shapes, start, ".branches.0.0.conv1.weight"), depth)
    last = f"{prefix}stage4.{stages[4][0] - 1}.fuse_layers.1.0.0.0.weight"
    return node(
        "hrnet",
        width=width,
        modules="x".join(str(modules) for modules, _ in stages.values()),
        blocks="x".join(str(depth) for _, depth in stages.values()),
        outputs="all" if last in shapes else None,
    )


def hrnet_rules(prefix: str, head: str) -> list[tuple[str, str]]:
    """From the authors' names, behind a prefix, to ours."""
    parts = r"((?:conv\d|bn\d|layer1|transition\d|stage\d)\..+)"
    return [(rf"{prefix}{parts}", r"backbone.\1"), (rf"{head}(.+)", r"head.branches.0.0.\1")]


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    is_classifier = "classifier.weight" in shapes
    return is_hrnet(shapes, "") and "final_layer.weight" in shapes and not is_classifier


def _spec(shapes: Shapes, config: Config) -> str:
    del config
    kernel = shapes["final_layer.weight"][-1]
    head = node("deconv", layers=0, final_kernel=kernel, grid="corner")
    return f"{hrnet_spec(shapes, '')}-{head}"


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    return state.rename(hrnet_rules("", r"final_layer\."))


FAMILIES = (
    Family(
        name="hrnet",
        project="leoxiaobin/deep-high-resolution-net.pytorch",
        paper="arXiv:1902.09212",
        licence="MIT",
        terms="MIT; trained on COCO or MPII, which have terms of their own",
        input=IMAGENET_INPUT,
        output=f"{MAPS_OUTPUT}, COCO's 17 joints or MPII's 16",
        scale="cell i is px 4 i, read with a quarter of a cell towards the greater neighbour",
        recognise=_recognise,
        spec=_spec,
        joint_set=lambda shapes, config: joint_set_of(shapes["final_layer.weight"][0]),
        convert=_convert,
        run=run_maps,
    ),
)
