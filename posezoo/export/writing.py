"""Files of a graph: ONNX for any runtime, .pt2 for torch's own."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from torch.export import Dim, ExportedProgram
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from posezoo.export.graphs import Graph
from posezoo.onnx_session import require
from posezoo.ops.dispatch import opened
from posezoo.whole_files import written_beside

Format = Literal["onnx", "pt2"]

FACTS = "posezoo.json"  # in a .pt2
# What torch.export raises of a network that it cannot take.
_REFUSALS = (torch._dynamo.exc.TorchDynamoException, GuardOnDataDependentSymNode)
_MOST_WORDS = 300  # characters of torch's reason
_MOST = 1 << 16  # items of a batch
_MOST_BYTES = 1_800_000_000  # of weights: an ONNX file holds no more than 2 GB


def traced(graph: Graph) -> ExportedProgram:
    """The graph as torch sees it, for batches of any size.

    Raises:
        ValueError: torch cannot, as where a network looks at numbers or at the size of the batch.
    """
    batch = Dim("batch", min=1, max=_MOST)
    inputs = tuple(graph.inputs.values())
    sizes = [{0: batch}] * len(inputs)
    with opened(), quiet(), torch.no_grad():
        try:
            return torch.export.export(graph.module, inputs, dynamic_shapes=sizes)
        except _REFUSALS as error:
            why = " ".join(str(error).split())[:_MOST_WORDS]
            raise ValueError(f"'{graph.facts['spec']}' cannot be exported: {why}") from error


def write(
    graph: Graph,
    path: Path,
    *,
    format: Format = "onnx",
    opset: int | None = None,  # None: torch's own choice
) -> ExportedProgram:
    """Write the file, with the graph's facts in its metadata.

    Raises:
        ValueError: `onnx` is not installed, the opset cannot say this graph, or it is too large.
    """
    if format == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            require(package)
    program = traced(graph)
    with written_beside(path) as part:
        if format == "pt2":
            with quiet():
                torch.export.save(program, part, extra_files={FACTS: json.dumps(graph.facts)})
        else:
            _save_onnx(graph, program, part, opset)
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Without the advice of exporters to their own makers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _save_onnx(graph: Graph, program: ExportedProgram, path: Path, opset: int | None) -> None:
    weights = sum(w.numel() * w.element_size() for w in graph.module.state_dict().values())
    if weights > _MOST_BYTES:
        raise ValueError(
            f"'{graph.facts['spec']}' has {weights / 1e9:.1f} GB of weights, and one ONNX file "
            "holds 2 GB: take --format pt2"
        )
    with quiet(), torch.no_grad():
        try:
            made = torch.onnx.export(
                program,
                tuple(graph.inputs.values()),
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=[*graph.inputs],
                output_names=[*graph.outputs],
            )
        except torch.onnx.errors.OnnxExporterError as error:
            why = str(error).strip().splitlines()[-1]
            raise ValueError(f"'{graph.facts['spec']}' cannot be said in ONNX: {why}") from error
    assert made is not None
    made.model.metadata_props.update(graph.facts)
    made.save(str(path), external_data=False)
