"""Two streams in opposite order: Walter0807/MotionBERT, whose network is our dstformer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.family import Config, Family, Shapes, State

_STREAMS = (("st", "joints_first"), ("ts", "frames_first"))
_HALVES = (("s", 0), ("t", 1))  # over joints, over frames
_PARTS = (("attn", "mixer"), ("mlp", "mlp"), ("norm1", "norm1"), ("norm2", "norm2"))
_RULES = (
    (r"temp_embed", "lifter.frame_position"),
    (r"pos_embed", "lifter.joint_position"),
    (r"joints_embed\.(.*)", r"lifter.embed.\1"),
    *(
        (rf"blocks_{their}\.(\d+)\.{part}_{half}\.(.*)", rf"lifter.layers.\1.{our}.{n}.{ours}.\2")
        for their, our in _STREAMS
        for half, n in _HALVES
        for part, ours in _PARTS
    ),
    (r"ts_attn\.(\d+)\.(.*)", r"lifter.layers.\1.mix.weigh.\2"),
    (r"norm\.(.*)", r"lifter.norm.\1"),
    (r"pre_logits\.fc\.(.*)", r"lifter.represent.\1"),
    (r"head\.(.*)", r"lifter.out.\1"),
)


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    return {"temp_embed", "blocks_st.0.attn_s.qkv.weight", "ts_attn.0.weight"} <= shapes.keys()


def _spec(shapes: Shapes, config: Config) -> str:
    depth = sum(name.startswith("ts_attn.") and name.endswith(".weight") for name in shapes)
    hidden, width = shapes["blocks_st.0.mlp_s.fc1.weight"]
    told = "" if shapes["joints_embed.weight"][1] == 3 else "confidence=false,"
    return (
        f"dstformer:{told}depth={depth},frames={shapes['temp_embed'][1]},"
        f"heads={config.get('num_heads', 8)},input=screen25d,mlp_ratio={hidden / width},"
        f"representation={shapes['pre_logits.fc.weight'][0]},width={width}"
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
        name="motionbert",
        project="Walter0807/MotionBERT",
        paper="arXiv:2210.06551",
        licence="Apache-2.0",
        terms="Apache-2.0; trained on Human3.6M and AMASS, whose own terms are academic",
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
        assumed=("8 heads",),
        kept=("lifter.normalisation.*",),
    ),
)
