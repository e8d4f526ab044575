"""ONNX files in onnxruntime, which is optional.

Apart from `posezoo.export`, whose tools take seconds to load: who predicts needs none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

Run: TypeAlias = Callable[[Sequence[Tensor]], list[Tensor]]  # a graph's inputs to its outputs


def onnx_runner(path: Path) -> Run:
    """A function of an ONNX file's inputs, in their order.

    Raises:
        ValueError: onnxruntime is not installed, or cannot read the file.
    """
    session = onnx_session(path)
    names = [each.name for each in session.get_inputs()]

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return [torch.from_numpy(each) for each in session.run(None, given)]

    return run


def onnx_session(path: Path) -> Any:
    """An onnxruntime session with as many threads as torch has.

    Raises:
        ValueError: onnxruntime is not installed, or cannot read the file.
    """
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what it would print is in its exception
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except onnx_failures() as error:
        raise ValueError(f"{path} is no ONNX file that onnxruntime can run") from error


def onnx_failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises: a dozen exceptions without a common name, and pybind's own."""
    said = vars(require("onnxruntime").capi.onnxruntime_pybind11_state).values()
    own = [each for each in said if isinstance(each, type) and issubclass(each, Exception)]
    return (*own, RuntimeError, UnicodeDecodeError)


def graph_path(path: Path, name: str) -> Path:
    """The file of one of several graphs that were exported together."""
    return path.with_stem(f"{path.stem}-{name}") if name else path


def require(package: str) -> Any:
    """An optional package.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ValueError(f"ONNX needs {package}: pip install 'posezoo[onnx]'") from error
