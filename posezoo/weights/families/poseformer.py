"""Transformers over joints, then frames: zczcwh/PoseFormer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.family import Config, Family, Shapes, State

_RULES = (
    (r"Spatial_patch_to_embedding\.(.*)", r"lifter.embed.\1"),
    (r"Spatial_pos_embed", "lifter.joint_position"),
    (r"Temporal_pos_embed", "lifter.frame_position"),
    (r"Spatial_blocks\.(\d+)\.attn\.(.*)", r"lifter.over_joints.\1.mixer.\2"),
    (r"Spatial_blocks\.(.*)", r"lifter.over_joints.\1"),
    (r"blocks\.(\d+)\.attn\.(.*)", r"lifter.over_frames.\1.mixer.\2"),
    (r"blocks\.(.*)", r"lifter.over_frames.\1"),
    (r"Spatial_norm\.(.*)", r"lifter.joint_norm.\1"),
    (r"Temporal_norm\.(.*)", r"lifter.frame_norm.\1"),
    (r"weighted_mean\.bias", "lifter.mean.bias"),
    (r"head\.0\.(.*)", r"lifter.out_norm.\1"),
    (r"head\.1\.(.*)", r"lifter.out.\1"),
)


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    return {"Spatial_blocks.0.attn.qkv.weight", "weighted_mean.weight"} <= shapes.keys()


def _spec(shapes: Shapes, config: Config) -> str:
    depth = sum(
        name.startswith("Spatial_blocks.") and name.endswith(".attn.qkv.weight") for name in shapes
    )
    hidden, width = shapes["Spatial_blocks.0.mlp.fc1.weight"]
    frames, heads = shapes["Temporal_pos_embed"][1], config.get("num_heads", 8)
    return (
        f"poseformer:depth={depth},frames={frames},heads={heads},input=screen,"
        f"mlp_ratio={hidden / width},width={width}"
    )


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    mean = state.take("weighted_mean.weight")[:, :, 0]  # a convolution over one number
    return {"lifter.mean.weight": mean, **state.rename(_RULES)}


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    del config
    outputs: Tensor = pipeline.lifter.network(inputs["input"])  # (B, T, 17, 2) to (B, 1, 17, 3)
    return outputs


FAMILIES = (
    Family(
        name="poseformer",
        project="zczcwh/PoseFormer",
        paper="arXiv:2103.10455",
        licence="none",
        terms="no licence file: no permission is given; trained on Human3.6M, whose own terms are "
        "academic",
        input="px in half widths of the picture, from its middle, of Human3.6M's 17 joints",
        output="metres, camera frame, relative to the pelvis; the middle frame",
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
