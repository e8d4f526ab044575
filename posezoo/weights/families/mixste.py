"""Attention over joints and frames in turn: JinluZhang1126/MixSTE, its class MixSTE2."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.family import Config, Family, Shapes, State

_RULES = (
    (r"Spatial_patch_to_embedding\.(.*)", r"lifter.embed.\1"),
    (r"Spatial_pos_embed", "lifter.joint_position"),
    (r"Temporal_pos_embed", "lifter.frame_position"),
    (r"STEblocks\.(\d+)\.attn\.(.*)", r"lifter.over_joints.\1.mixer.\2"),
    (r"STEblocks\.(.*)", r"lifter.over_joints.\1"),
    (r"TTEblocks\.(\d+)\.attn\.(.*)", r"lifter.over_frames.\1.mixer.\2"),
    (r"TTEblocks\.(.*)", r"lifter.over_frames.\1"),
    (r"Spatial_norm\.(.*)", r"lifter.joint_norm.\1"),
    (r"Temporal_norm\.(.*)", r"lifter.frame_norm.\1"),
    (r"head\.0\.(.*)", r"lifter.out_norm.\1"),
    (r"head\.1\.(.*)", r"lifter.out.\1"),
)


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    return {"STEblocks.0.attn.qkv.weight", "TTEblocks.0.attn.qkv.weight"} <= shapes.keys()


def _spec(shapes: Shapes, config: Config) -> str:
    depth = sum(
        name.startswith("STEblocks.") and name.endswith(".attn.qkv.weight") for name in shapes
    )
    hidden, width = shapes["STEblocks.0.mlp.fc1.weight"]
    frames, heads = shapes["Temporal_pos_embed"][1], config.get("num_heads", 8)
    return (
        f"mixste:depth={depth},frames={frames},heads={heads},input=screen,"
        f"mlp_ratio={hidden / width},width={width}"
    )


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    return state.rename(_RULES)


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    del config
    outputs: Tensor = pipeline.lifter.network(inputs["input"])  # (B, T, 17, 2) to (B, T, 17, 3)
    return outputs


FAMILIES = (
    Family(
        name="mixste",
        project="JinluZhang1126/MixSTE",
        paper="arXiv:2203.00859",
        licence="none",
        terms="no licence file: no permission is given; trained on Human3.6M, whose own terms are "
        "academic",
        input="px in half widths of the picture, from its middle, of Human3.6M's 17 joints",
        output="metres, camera frame, relative to the pelvis; every frame of the window",
        scale="metres times 1000; pictures are taken to Human3.6M's focal length first",
        recognise=_recognise,
        spec=_spec,
        joint_set=lambda shapes, config: "h36m17",
        convert=_convert,
        run=_run,
        assumed=("8 heads",),
        kept=("lifter.normalisation.*",),
    ),
)
