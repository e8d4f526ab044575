"""An ONNX file that anybody may have written: run in a child process first, then here.

A graph is a program: it may loop for ever, or ask for more memory than there is, and a damaged one
may crash the runtime. So it is opened and run on nothing but zeros within the limits of
`posezoo.data.rehearsal` before it is opened here. What it takes and gives is compared with what its
metadata say.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from posezoo.hints import shown
from posezoo.onnx_session import onnx_failures, onnx_session


class OnnxFile:
    """A graph that can be run.

    Args:
        path: the file.

    Raises:
        ValueError: no file, onnxruntime is not installed, or it cannot open or run it.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ValueError(f"{path} is not there; posezoo export RUN --out {path} writes one")
        self.path = path
        self._session = onnx_session(path)
        try:
            self.facts: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
            self.inputs = {each.name: tuple(each.shape) for each in self._session.get_inputs()}
            self.outputs = [each.name for each in self._session.get_outputs()]
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: its metadata are damaged ({error.reason})") from error

    def require(self, *shapes: tuple[int, ...]) -> None:
        """Compare what the graph takes with these shapes, each of one item of a batch.

        Raises:
            ValueError: it takes something else.
        """
        found = [shape[1:] for shape in self.inputs.values()]
        if found != list(shapes):
            raise ValueError(
                f"{self.path}: takes inputs of {shown(found, 120)}, and its metadata say "
                f"{list(shapes)}; export it again"
            )

    def run(self, *inputs: Tensor, joints: int) -> dict[str, Tensor]:
        """The outputs by their names, for inputs in their order.

        Raises:
            ValueError: it fails, or gives arrays of another number of people or joints.
        """
        given = {
            name: each.contiguous().numpy() for name, each in zip(self.inputs, inputs, strict=True)
        }
        try:
            outputs = self._session.run(None, given)
        except onnx_failures() as error:
            raise ValueError(
                f"{self.path}: onnxruntime cannot run it ({shown(error, 200)})"
            ) from error
        found = dict(zip(self.outputs, outputs, strict=True))
        ends = {
            "joints3d_mm": (joints, 3),
            "joints2d_px": (joints, 2),
            "root_mm": (3,),
            **dict.fromkeys(("confidence", "sigma_mm"), (joints,)),
        }
        for name, end in ends.items():
            array = found.get(name)
            if array is not None and (
                array.dtype != np.float32
                or array.shape[:1] != inputs[0].shape[:1]
                or array.shape[array.ndim - len(end) :] != end
            ):
                raise ValueError(
                    f"{self.path}: gives {name} as {array.dtype} {array.shape} of "
                    f"{len(inputs[0])} people with {joints} joints; export it again"
                )
        return {name: torch.from_numpy(array) for name, array in found.items()}
