"""ONNX files in onnxruntime, which is optional: run in a child process first, then here.

A graph is a program that anybody may have written: it may loop for ever, or ask for more memory
than there is, and a damaged one may crash the runtime. So it is opened and run on nothing but zeros
within the limits of `posezoo.rehearsal` before it is opened here. Apart from `posezoo.export`,
whose tools take seconds to load: who predicts needs none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from posezoo.hints import shown
from posezoo.rehearsal import rehearse

_KINDS = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}

Run: TypeAlias = Callable[[Sequence[Tensor]], list[Tensor]]  # a graph's inputs to its outputs


def onnx_runner(
    path: Path,
    *,
    like: tuple[Sequence[Tensor], Sequence[str]] | None = None,
    threads: int | None = None,
) -> Run:
    """A function of an ONNX file's inputs, in their order.

    Args:
        path: the file.
        like: inputs that it must take, of any number of items, and outputs that it must give.
        threads: that compute; None: as many as torch has.

    Raises:
        ValueError: onnxruntime is not installed, cannot read the file, or it is another graph.
    """
    session = onnx_session(path, threads)
    names = [each.name for each in session.get_inputs()]
    if like is not None:
        wanted = [list(each.shape[1:]) for each in like[0]], list(like[1])
        found = [each.shape[1:] for each in session.get_inputs()]
        gives = [each.name for each in session.get_outputs()]
        if (found, gives) != wanted:
            raise ValueError(
                f"{path}: takes {shown(found, 120)} and gives {shown(gives, 120)}, expected "
                f"{wanted[0]} and {', '.join(wanted[1])}; is it the right file?"
            )

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return [torch.from_numpy(each) for each in session.run(None, given)]

    return run


def onnx_session(path: Path, threads: int | None = None) -> Any:
    """An onnxruntime session with so many threads, or as many as torch has.

    Raises:
        ValueError: onnxruntime is not installed, or it cannot open the file or run it.
    """
    rehearse(path, lambda: _try(path), name="graph")
    return _opened(path, threads)


def _opened(path: Path, threads: int | None = None) -> Any:
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 4  # what it would print is in its exception
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except onnx_failures() as error:
        raise ValueError(f"{path} is no ONNX file that onnxruntime can run") from error


def _try(path: Path) -> None:
    """Open it and run it on zeros.

    Raises:
        MemoryError: in whatever words onnxruntime says so.
    """
    broken: tuple[type[Exception], ...] = (ValueError, *onnx_failures())
    try:
        _run_once(_opened(path))
    except broken as error:
        if "alloc" in f"{error} {error.__cause__}":
            raise MemoryError from error
        raise


def _run_once(session: Any) -> None:
    """One item."""
    given = {
        each.name: np.zeros(
            [side if isinstance(side, int) else 1 for side in each.shape], _KINDS[each.type]
        )
        for each in session.get_inputs()
    }
    session.run(None, given)


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
