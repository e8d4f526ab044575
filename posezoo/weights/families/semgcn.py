"""Semantic graph convolutions: garyzhao/SemGCN, with and without non-local layers.

The project has a copy of the residual perceptron too. Its files have the names and shapes of
`martinez`, but are told screen coordinates of h36m16 and answer in metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.skeleton import get_skeleton
from posezoo.weights.families import martinez
from posezoo.weights.family import Config, Family, Shapes, State

_JOINT_SET = "h36m16"
_CONVOLUTION = ((r"W", "weight"), (r"e", "edges"), (r"bias", "bias"))
_NON_LOCAL = (
    (r"W\.0\.(.*)", r"back.\1"),
    (r"W\.1\.(.*)", r"norm.\1"),
    (r"concat_project\.0\.(.*)", r"compare.\1"),
    (r"theta\.(.*)", r"listen.\1"),
    # With pooling behind them these two are the first of two modules.
    (r"phi\.(?:0\.)?(weight|bias)", r"speak.\1"),
    (r"g\.(?:0\.)?(weight|bias)", r"content.\1"),
)


def _recognise(shapes: Shapes, config: Config) -> bool:
    del config
    return {"gconv_input.0.gconv.W", "gconv_output.W"} <= shapes.keys()


def _spec(shapes: Shapes, config: Config) -> str:
    del config
    parameters = [f"blocks={_blocks(shapes)}", "input=screen"]
    if not _is_non_local(shapes):
        parameters.append("non_local=false")
    elif "gconv_input.1.nonlocal.phi.0.weight" in shapes:
        parameters.append("pool=true")
    return f"semgcn:{','.join(parameters)},width={shapes['gconv_input.0.gconv.W'][2]}"


def _convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    rules: list[tuple[str, str]] = []

    def add(theirs: str, ours: str, names: tuple[tuple[str, str], ...]) -> None:
        rules.extend((rf"{theirs}\.{old}", f"lifter.{ours}.{new}") for old, new in names)

    def add_layer(theirs: str, ours: str) -> None:
        add(rf"{theirs}\.gconv", f"{ours}.0", _CONVOLUTION)
        add(rf"{theirs}\.bn", f"{ours}.1", ((r"(.*)", r"\1"),))

    step = 1 + _is_non_local(state)  # a non-local layer stands behind every block
    add_layer(r"gconv_input\.0", "stem.0")
    add(r"gconv_input\.1\.nonlocal", "stem.1", _NON_LOCAL)
    for block in range(_blocks(state)):
        add_layer(rf"gconv_layers\.{step * block}\.gconv1", f"blocks.{block}.0")
        add_layer(rf"gconv_layers\.{step * block}\.gconv2", f"blocks.{block}.1")
        add(rf"gconv_layers\.{step * block + 1}\.nonlocal", f"far.{block}", _NON_LOCAL)
    add("gconv_output", "out", _CONVOLUTION)
    return {name: _as_ours(name, value) for name, value in state.rename(rules).items()}


def _as_ours(name: str, value: Tensor) -> Tensor:
    """Edges in our order, and convolutions over one joint as the matrices that they are."""
    if name.endswith(".edges"):
        return value.flatten()[_order_of_edges()]
    if value.ndim > 2 and value.shape[2:].numel() == 1:
        return value.flatten(1)
    return value


def _order_of_edges() -> Tensor:
    """Where each of our edges stands among theirs, which are sorted: row after row."""
    skeleton = get_skeleton(_JOINT_SET)
    both_ways = [pair for bone in skeleton.bones for pair in (bone, bone[::-1])]
    ours = [(joint, joint) for joint in range(skeleton.num_joints)] + both_ways
    return torch.tensor([sorted(ours).index(edge) for edge in ours])


def _blocks(names: Mapping[str, object]) -> int:
    return sum(name.endswith(".gconv1.gconv.W") for name in names)


def _is_non_local(names: Mapping[str, object]) -> bool:
    return "gconv_input.1.nonlocal.theta.weight" in names


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    del config
    outputs: Tensor = pipeline.lifter.network(inputs["input"])  # (B, 16, 2) to (B, 16, 3)
    return outputs


def _recognise_linear(shapes: Shapes, config: Config) -> bool:
    bare = {name: value for name, value in config.items() if name != "input_size"}
    return _PERCEPTRON.recognise(shapes, bare)


def _spec_linear(shapes: Shapes, config: Config) -> str:
    return _PERCEPTRON.spec(shapes, config).replace("input=px,joints=published", "input=screen")


(_PERCEPTRON,) = martinez.FAMILIES
_GRAPH = Family(
    name="semgcn",
    project="garyzhao/SemGCN",
    paper="arXiv:1904.03345",
    licence="Apache-2.0",
    terms="Apache-2.0; trained on Human3.6M, whose own terms are academic",
    input="px in half widths of the picture, from its middle, of h36m16",
    output="metres, camera frame, of h36m16, relative to the predicted pelvis",
    scale="metres times 1000; pictures are taken to Human3.6M's focal length first",
    recognise=_recognise,
    spec=_spec,
    joint_set=lambda shapes, config: _JOINT_SET,
    convert=_convert,
    run=_run,
    kept=("lifter.normalisation.*",),
)
FAMILIES = (
    _GRAPH,
    replace(
        _GRAPH,
        recognise=_recognise_linear,
        spec=_spec_linear,
        convert=_PERCEPTRON.convert,
        run=_PERCEPTRON.run,
    ),
)
