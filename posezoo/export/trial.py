"""Whether an exported file says what the network says, and how fast."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from posezoo.export.graphs import Graph
from posezoo.export.writing import Format, quiet
from posezoo.onnx_session import Run, onnx_runner

TORCH, ALONE = "torch", "torch, one at a time"
_MOST_MM = 1e-3  # that a graph in float32 may be off by, of poses of 2 m
_TIMES = 4  # ... or that much more than torch itself, when sums are taken in another order
_ROUNDINGS = 4  # ... or so many of the largest output
_REPEATS = 11
_COMPILERS = ("c++", "g++", "clang++")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One way to run a graph."""

    runtime: str
    largest_difference: dict[str, float]  # by output, in its unit
    largest_output: dict[str, float]  # by output: its size, to judge the difference by
    milliseconds: dict[int, float]  # by the size of the batch: the median, one after the other


def try_out(
    graph: Graph,
    path: Path,
    *,
    format: Format,
    program: ExportedProgram,
    inputs: Sequence[Tensor],  # of some items
    batches: Sequence[int] = (1, 16),
) -> list[Trial]:
    """Torch itself, one item at a time, then each runtime: differences, and times of batches."""
    eager = _eager(graph)
    ways: dict[str, Run] = {TORCH: eager, ALONE: _one_at_a_time(eager)}
    with tempfile.TemporaryDirectory() as folder, quiet():
        if format == "onnx":
            ways["onnxruntime"] = onnx_runner(path)
        else:
            ways["torch.export"] = _loaded(path)
            if any(map(shutil.which, _COMPILERS)):
                ways["AOTInductor"] = _compiled(program, Path(folder))
        true = eager(inputs)
        return [
            Trial(
                runtime=name,
                largest_difference={
                    output: float((mine.double() - its.double()).abs().max())
                    for output, mine, its in zip(graph.outputs, run(inputs), true, strict=True)
                },
                largest_output={
                    output: float(its.abs().max())
                    for output, its in zip(graph.outputs, true, strict=True)
                },
                milliseconds={size: _median_ms(run, _items(inputs, size)) for size in batches},
            )
            for name, run in ways.items()
        ]


def too_far(trials: Sequence[Trial], output: str = "joints3d_mm") -> str:
    """Which runtime is off by more than rounding explains; empty: none."""
    off = {trial.runtime: trial.largest_difference.get(output, 0.0) for trial in trials}
    size = max(trial.largest_output.get(output, 0.0) for trial in trials)
    rounding = _ROUNDINGS * torch.finfo(torch.float32).eps * size
    allowed = max(_MOST_MM, _TIMES * off[ALONE], rounding)
    return "; ".join(
        f"{name} is off by {value:.2g} mm, more than {allowed:.2g}"
        for name, value in off.items()
        if not value <= allowed  # NaN too
    )


def _eager(graph: Graph) -> Run:
    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        with torch.inference_mode():
            return _as_list(graph.module(*inputs))

    return run


def _one_at_a_time(run: Run) -> Run:
    """The same items, whose sums are then taken in another order: what rounding alone does."""

    def each(inputs: Sequence[Tensor]) -> list[Tensor]:
        items = [run([value[i : i + 1] for value in inputs]) for i in range(len(inputs[0]))]
        return [torch.cat(parts) for parts in zip(*items, strict=True)]

    return each


def _loaded(path: Path) -> Run:
    module = torch.export.load(path).module()

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad():
            return _as_list(module(*inputs))

    return run


def _compiled(program: ExportedProgram, folder: Path) -> Run:
    package = torch._inductor.aoti_compile_and_package(
        program, package_path=str(folder / "graph.pt2")
    )
    module = torch._inductor.aoti_load_package(package)
    return lambda inputs: _as_list(module(*inputs))


def _as_list(output: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else list(output)


def _items(inputs: Sequence[Tensor], size: int) -> list[Tensor]:
    """So many items, repeated where there are fewer."""
    place = torch.arange(size) % len(inputs[0])
    return [each[place] for each in inputs]


def _median_ms(run: Run, inputs: Sequence[Tensor]) -> float:
    run(inputs)
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run(inputs)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)
