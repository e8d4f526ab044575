"""The cases of the group `kernels` under pytest-benchmark: `pytest benchmarks/bench_kernels.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from benchmarks.groups import CPU_SHAPES, GPU_SHAPES, with_backward
from benchmarks.kernels import Case, as_tensor, cases

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SHAPES = GPU_SHAPES[:1] if DEVICE.type == "cuda" else CPU_SHAPES
CASES = [
    pytest.param(case, name, id=f"{case.operation}-{len(case.shape) - 2}d-{name}")
    for shape in SHAPES
    for case in cases(shape, DEVICE, torch.float32)
    for name in case.ways
]
BOTH_WAYS = [each for each in CASES if each.values[0].leaf]


@pytest.mark.parametrize(("case", "name"), CASES)
def test_forward(case: Case, name: str, benchmark: Any) -> None:
    way = case.ways[name]

    def run() -> None:
        with torch.no_grad():
            way()

    _measure(run, case, name, "forward", benchmark)


@pytest.mark.parametrize(("case", "name"), BOTH_WAYS)
def test_forward_and_backward(case: Case, name: str, benchmark: Any) -> None:
    _measure(with_backward(case.ways[name], case.leaf), case, name, "both", benchmark)


def _measure(run: Callable[[], Any], case: Case, name: str, mode: str, benchmark: Any) -> None:
    torch.set_num_threads(1)
    truth = as_tensor(case.truth() if case.truth else next(iter(case.ways.values()))())
    assert (as_tensor(case.ways[name]()) - truth).abs().max() <= case.tolerance
    benchmark.group = f"{case.operation} {'x'.join(map(str, case.shape))} {mode}"
    benchmark.extra_info |= {"shape": case.shape, "dtype": str(case.dtype), "passes": case.passes}

    def finished() -> None:
        run()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()

    benchmark(finished)
