"""The residual perceptron: weigq/3d_pose_baseline_pytorch, and SemGCN's copy of it.

Both have the same names and shapes. The first takes z-scores of 16 joints and answers with z-scores
of 16 others; its statistics are not in the file. The second takes screen coordinates of h36m16 and
answers in metres.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.family import Config, Family, Shapes, State

_RULES = (
    (r"w1\.(.*)", r"lifter.stem.0.\1"),
    (r"batch_norm1\.(.*)", r"lifter.stem.1.\1"),
    (r"linear_stages\.(\d+)\.w1\.(.*)", r"lifter.blocks.\1.0.0.\2"),
    (r"linear_stages\.(\d+)\.batch_norm1\.(.*)", r"lifter.blocks.\1.0.1.\2"),
    (r"linear_stages\.(\d+)\.w2\.(.*)", r"lifter.blocks.\1.1.0.\2"),
    (r"linear_stages\.(\d+)\.batch_norm2\.(.*)", r"lifter.blocks.\1.1.1.\2"),
    (r"w2\.(.*)", r"lifter.out.\1"),
)


def _recognise(shapes: Shapes, config: Config) -> bool:
    sixteen = shapes.get("w1.weight", ())[1:] == (32,) and shapes.get("w2.bias") == (48,)
    # SemGCN's constructor says how many numbers go in, the original's has them built in.
    return sixteen and "linear_stages.0.w1.weight" in shapes and "input_size" not in config


def _spec(shapes: Shapes, config: Config) -> str:
    del config
    blocks = sum(name.endswith(".w1.weight") for name in shapes)
    return f"martinez:blocks={blocks},input=px,joints=published,width={shapes['w1.weight'][0]}"


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    return state.rename(_RULES)


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    del config
    outputs: Tensor = pipeline.lifter.network(inputs["input"])  # (B, 32) to (B, 48)
    return outputs


FAMILIES = (
    Family(
        name="martinez",
        project="weigq/3d_pose_baseline_pytorch",
        paper="arXiv:1705.03098",
        licence="MIT",
        terms="MIT; trained on Human3.6M, whose own terms are academic",
        input="z-scores of px of 16 joints (no neck)",
        output="z-scores of mm of 16 joints (no pelvis), camera frame, relative to the pelvis",
        scale="none: z-scores of statistics that the file does not hold",
        recognise=_recognise,
        spec=_spec,
        joint_set=lambda shapes, config: "h36m17",
        convert=_convert,
        run=_run,
        lacks_statistics=True,
        kept=("lifter.normalisation.*",),
    ),
)
