"""Attention beside graph convolutions: TaatiTeam/MotionAGFormer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.family import Config, Family, Shapes, State

_BLOCKS = (
    ("att_spatial", "attention.0"),
    ("att_temporal", "attention.1"),
    ("graph_spatial", "graph.0"),
    ("graph_temporal", "graph.1"),
)
_PARTS = (
    (r"layer_scale_(\d)", r"scale\2"),
    (r"((?:norm1|norm2|mlp)\..*)", r"\2"),
    (r"mixer\.((?:qkv|proj)\..*)", r"mixer.\2"),
    (r"mixer\.U\.(.*)", r"mixer.conv.own.\2"),
    (r"mixer\.V\.(.*)", r"mixer.conv.others.\2"),
    (r"mixer\.batch_norm\.(.*)", r"mixer.conv.norm.\2"),
)
_RULES = (
    (r"pos_embed", "lifter.joint_position"),
    (r"joints_embed\.(.*)", r"lifter.embed.\1"),
    *(
        (rf"layers\.(\d+)\.{theirs}\.{part}", rf"lifter.layers.\1.{ours}.{our_part}")
        for theirs, ours in _BLOCKS
        for part, our_part in _PARTS
    ),
    (r"layers\.(\d+)\.fusion\.(.*)", r"lifter.layers.\1.mix.weigh.\2"),
    (r"norm\.(.*)", r"lifter.norm.\1"),
    (r"rep_logit\.fc\.(.*)", r"lifter.represent.\1"),
    (r"head\.(.*)", r"lifter.out.\1"),
)


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    return {
        "layers.0.att_spatial.mixer.qkv.weight",
        "layers.0.graph_temporal.mixer.U.weight",
    } <= shapes.keys()


def _spec(shapes: Shapes, config: Config) -> str:
    depth = sum(name.endswith(".fusion.weight") for name in shapes)
    hidden, width = shapes["layers.0.att_spatial.mlp.fc1.weight"]
    told = "" if shapes["joints_embed.weight"][1] == 3 else "confidence=false,"
    return (
        f"motionagformer:{told}depth={depth},"
        f"frames={shapes['layers.0.graph_temporal.mixer.batch_norm.weight'][0]},"
        f"heads={config.get('num_heads', 8)},input=screen25d,mlp_ratio={hidden / width},"
        f"neighbours={config.get('neighbour_num', 2)},"
        f"representation={shapes['rep_logit.fc.weight'][0]},width={width}"
    )


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    return state.rename(_RULES)


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    del config
    outputs: Tensor = pipeline.lifter.network(inputs["input"])  # (B, T, 17, 3) to (B, T, 17, 3)
    return outputs


FAMILIES = (
    Family(
        name="motionagformer",
        project="TaatiTeam/MotionAGFormer",
        paper="arXiv:2310.16288",
        licence="Apache-2.0",
        terms="Apache-2.0; trained on Human3.6M, whose own terms are academic",
        input="px in half widths of the picture, from its middle, and confidence, of Human3.6M's "
        "17 joints",
        output="half widths of the picture, x and y as seen and z to that scale, relative to the "
        "pelvis; every frame",
        scale="an assumption: the original takes its scale from the truth; here perspective is "
        "undone and arms and legs are 2850 mm long in all, as an adult's",
        recognise=_recognise,
        spec=_spec,
        joint_set=lambda shapes, config: "h36m17",
        convert=_convert,
        run=_run,
        assumed=("8 heads", "2 neighbours in time"),
        kept=("lifter.normalisation.*",),
    ),
)
