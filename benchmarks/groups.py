"""The groups of `posezoo bench` as rows: kernels, codec, pipeline, loader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks import measure
from benchmarks.codec import codec
from benchmarks.kernels import Case, as_tensor, cases
from benchmarks.loader import loader
from benchmarks.pipelines import pipeline
from benchmarks.rows import Row

CPU_SHAPES = [(32, 17, 64, 64), (2, 17, 64, 64, 64)]
GPU_SHAPES = [(64, 17, 64, 64), (256, 17, 64, 64), (256, 17, 128, 128), (32, 17, 64, 64, 64)]


def kernels(
    device: torch.device,
    *,
    seconds: float = 0.5,
    compiled: bool = False,
    shapes: list[tuple[int, ...]] | None = None,
    dtypes: list[torch.dtype] | None = None,
) -> Iterator[Row]:
    """Every operation against every formulation of it."""
    copy = measure.copy_gbps(device)
    yield Row(group="kernels", operation="copy", implementation="torch", value=copy, unit="GB/s")
    gpu = device.type == "cuda"
    for shape in shapes or (GPU_SHAPES if gpu else CPU_SHAPES):
        for dtype in dtypes or ([torch.float32, torch.bfloat16] if gpu else [torch.float32]):
            for case in cases(shape, device, dtype, compiled=compiled):
                yield from _case(case, device, copy, seconds)
                case.ways.clear()  # the closures hold the maps: one case's memory at a time


def _case(case: Case, device: torch.device, copy: float, seconds: float) -> Iterator[Row]:
    labels: dict[str, Any] = {
        "group": "kernels",
        "operation": case.operation,
        "shape": case.shape,
        "dtype": str(case.dtype).removeprefix("torch."),
    }
    sound, broken = _gate(case)
    for name, why in broken.items():
        yield Row(implementation=name, gate=why, **labels)
    modes = {"forward": {name: _no_grad(way) for name, way in sound.items()}}
    if case.leaf:
        modes["both"] = {name: with_backward(way, case.leaf) for name, way in sound.items()}
        if device.type == "cuda":
            modes["backward"] = {name: _backward(way, case.leaf) for name, way in sound.items()}
    for mode, ways in modes.items():
        share = {"forward": 1, "both": case.passes, "backward": case.passes - 1}[mode]
        element = torch.empty(0, dtype=case.dtype).element_size()
        total = share * torch.Size(case.shape).numel() * element
        timed = measure.interleaved(ways, device, seconds=seconds)
        ours = next(iter(timed.values())).best
        for name, times in timed.items():
            launched, touched = (None, None) if "compile" in name else measure.counted(ways[name])
            yield Row(
                implementation=name,
                mode=mode,
                best_ms=times.best,
                p20_ms=times.p20,
                p50_ms=times.p50,
                p80_ms=times.p80,
                ratio=times.best / ours,
                gbps=total / times.best / 1e6,
                floor_us=total / copy / 1e3,
                copy_percent=100 * total / times.best / 1e6 / copy,
                kernels=launched,
                moved_mb=touched and touched / 2**20,
                peak_mb=measure.peak_mb(ways[name], device),
                **labels,
            )


def _gate(case: Case) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """Which ways give the right result: float64's, or else that of posezoo's torch path."""
    first = case.ways.get("posezoo torch", next(iter(case.ways.values())))
    truth = as_tensor(case.truth() if case.truth is not None else first())
    sound, broken = {}, {}
    for name, way in case.ways.items():
        off = (as_tensor(way()) - truth).abs().max().item()
        if off <= case.tolerance:
            sound[name] = way
        else:
            broken[name] = f"off by {off:.2g} > {case.tolerance:.2g}: no speed"
    return sound, broken


def _no_grad(way: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        with torch.no_grad():
            return way()

    return run


def with_backward(way: Callable[[], Any], leaf: tuple[Tensor, ...]) -> Callable[[], Any]:
    def run() -> Any:
        return torch.autograd.grad(way().sum(), leaf)

    return run


def _backward(way: Callable[[], Any], leaf: tuple[Tensor, ...]) -> Callable[[], Any]:
    total: list[Tensor] = []

    def run() -> Any:
        if not total:
            total.append(way().sum())
        return torch.autograd.grad(total[0], leaf, retain_graph=True)

    return run


def static_columns(*, thorough: bool = False) -> list[dict[str, Any]]:
    """Registers, spills and predicted microseconds of each kernel; needs Triton, no GPU."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    run = [sys.executable, "-m", "posezoo_kernels.static", *(["--all"] if thorough else [])]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


GROUPS: dict[str, Callable[..., Iterator[Row]]] = {
    "kernels": kernels,
    "codec": codec,
    "pipeline": pipeline,
    "loader": loader,
}
