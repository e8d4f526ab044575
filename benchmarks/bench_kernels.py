"""The cases of the group `kernels` under pytest-benchmark: `pytest benchmarks/bench_kernels.py`."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks.groups import CPU_SHAPES, GPU_SHAPES
from benchmarks.kernels import Case, as_tensor, cases

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SHAPES = GPU_SHAPES[:1] if DEVICE.type == "cuda" else CPU_SHAPES[:1]
CASES = [
    (case, name)
    for shape in SHAPES
    for case in cases(shape, DEVICE, torch.float32)
    for name in case.ways
]


@pytest.mark.parametrize(("case", "name"), CASES, ids=[f"{c.operation}-{n}" for c, n in CASES])
def test_forward(case: Case, name: str, benchmark: Any) -> None:
    torch.set_num_threads(1)
    way = case.ways[name]
    truth = as_tensor(case.truth() if case.truth else next(iter(case.ways.values()))())
    assert (as_tensor(way()) - truth).abs().max() <= case.tolerance
    benchmark.group = case.operation
    benchmark.extra_info |= {"shape": case.shape, "dtype": str(case.dtype), "passes": case.passes}

    def run() -> None:
        with torch.no_grad():
            way()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()

    benchmark(run)
