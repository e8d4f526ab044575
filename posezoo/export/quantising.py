"""An ONNX file in 8 bits.

Of a graph that looks at pictures the convolutions are, weights and activations, scaled by what some
pictures give. Of a lifter only the weights are: its inputs are coordinates, of which 8 bits are too
few.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from posezoo.export.writing import quiet
from posezoo.onnx_session import require
from posezoo.whole_files import write_atomically

_CONVOLUTIONS = ["Conv", "ConvTranspose"]
_PRODUCTS = ["MatMul", "Gemm"]


def quantise(
    path: Path,  # of a file in float32, which is replaced
    inputs: Sequence[Tensor],  # items like those that it will be given
) -> None:
    """Rewrite the file.

    Raises:
        ValueError: onnxruntime is not installed.
    """
    onnx, runtime = require("onnx"), require("onnxruntime")
    tools = require("onnxruntime.quantization")
    prepare = require("onnxruntime.quantization.shape_inference").quant_pre_process
    names = [each.name for each in runtime.InferenceSession(str(path)).get_inputs()]
    with tempfile.TemporaryDirectory() as folder, quiet():
        plain, small = Path(folder) / "plain.onnx", Path(folder) / "small.onnx"
        prepare(str(path), str(plain), skip_symbolic_shape=True)
        before = onnx.load(str(path))
        if any(node.op_type in _CONVOLUTIONS for node in before.graph.node):
            items = _Items(names, inputs)
            tools.quantize_static(
                *(str(plain), str(small), items),
                op_types_to_quantize=_CONVOLUTIONS,
                per_channel=True,
            )
        else:
            tools.quantize_dynamic(
                str(plain), str(small), op_types_to_quantize=_PRODUCTS, per_channel=True
            )
        after = onnx.load(str(small))
        facts = {each.key: each.value for each in before.metadata_props}
        onnx.helper.set_model_props(after, facts | {"weights": "int8"})
        write_atomically(path, after.SerializeToString())


class _Items:
    """What onnxruntime calls a reader of data for calibration: one item at a time."""

    def __init__(self, names: list[str], inputs: Sequence[Tensor]) -> None:
        self.names, self.inputs, self.place = names, inputs, 0

    def get_next(self) -> dict[str, Any] | None:
        """The next one; None after the last."""
        if self.place == len(self.inputs[0]):
            return None
        item = [each[self.place : self.place + 1].numpy() for each in self.inputs]
        self.place += 1
        return dict(zip(self.names, item, strict=True))
