"""The groups of `posezoo bench` as rows: kernels, codec, pipeline, loader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from benchmarks import measure
from benchmarks.kernels import Case, as_tensor, cases
from posezoo.geometry import cell_affine
from posezoo.ops import decode, gaussian_heatmaps, soft_argmax

CPU_SHAPES = [(32, 17, 64, 64), (2, 17, 64, 64, 64)]
GPU_SHAPES = [(64, 17, 64, 64), (256, 17, 64, 64), (256, 17, 128, 128), (32, 17, 64, 64, 64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement. Fields that do not apply are None."""

    group: str
    operation: str
    implementation: str
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    mode: str | None = None  # forward, backward or both
    gate: str = "pass"  # or why there is no speed
    best_ms: float | None = None
    p20_ms: float | None = None
    p50_ms: float | None = None
    p80_ms: float | None = None
    ratio: float | None = None  # this implementation's best over posezoo's, same run
    gbps: float | None = None  # bytes of the floor over the best time
    floor_us: float | None = None  # those bytes at the copy bandwidth of this run
    copy_percent: float | None = None
    kernels: int | None = None
    moved_mb: float | None = None  # by eager operations
    peak_mb: float | None = None
    value: float | None = None  # of a row that is no time: see `unit`
    unit: str | None = None


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
    if case.leaf is not None:
        modes["both"] = {name: _with_backward(way, case.leaf) for name, way in sound.items()}
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


def _with_backward(way: Callable[[], Any], leaf: Tensor) -> Callable[[], Any]:
    def run() -> Any:
        return torch.autograd.grad(way().sum(), leaf)

    return run


def _backward(way: Callable[[], Any], leaf: Tensor) -> Callable[[], Any]:
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


def codec(device: torch.device, *, seconds: float = 0.5) -> Iterator[Row]:
    """Error of encode then decode over a cell's positions, inside and at the edge, and its time."""
    steps = torch.linspace(0, 1, 33)[:-1]
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).view(1, -1, 2)
    inside, edge = 30 + grid, grid.clone()
    decoders: dict[str, Callable[[Tensor], Tensor]] = {
        refine: lambda m, refine=refine: decode(m, refine=refine)[0]  # type: ignore[misc]
        for refine in ("none", "quarter", "taylor", "dark", "udp")
    }
    decoders["soft, beta 25"] = lambda m: soft_argmax(m, beta=25.0)
    scale, offset = cell_affine(4)
    for name, way in decoders.items():
        label = f"64x64 {name}, stride {scale:g} px, offset {offset:g} px"
        for where, places in (("inside", inside), ("edge", edge)):
            joints = places.to(device)
            maps = gaussian_heatmaps(joints, (64, 64), sigma_cells=2.236)
            error = (way(maps) - joints) * scale
            values = {
                "mean error": error.abs().mean(),
                "bias": error.mean((0, 1)).abs().max(),
                "worst error": error.abs().max(),
            }
            for what, value in values.items():
                yield Row(
                    group="codec",
                    operation=f"{what} {where}",
                    implementation=label,
                    value=value.item(),
                    unit="px",
                )
        people = torch.rand(32, 17, 2, device=device) * 55 + 4
        maps = gaussian_heatmaps(people, (64, 64), sigma_cells=2.236)
        run = {name: lambda way=way, maps=maps: way(maps)}
        times = measure.interleaved(run, device, seconds=seconds)[name]
        yield Row(
            group="codec",
            operation="decode, per picture",
            implementation=label,
            best_ms=times.best / 32,
            p50_ms=times.p50 / 32,
        )


def pipeline(device: torch.device, *, seconds: float = 2.0) -> Iterator[Row]:
    """A whole pipeline on pictures, and the share of it that is spent in reading heatmaps."""
    import posezoo  # noqa: PLC0415 - the other groups need no pipeline
    from posezoo.data.loading import ordered_batches  # noqa: PLC0415
    from posezoo.data.synthetic import Synthetic  # noqa: PLC0415

    batch_size = 64 if device.type == "cuda" else 4
    dataset = Synthetic(split="val", image_size=256, seed=0)
    batch = next(iter(ordered_batches(dataset, indices=range(batch_size), batch_size=batch_size)))
    batch = batch.to(device)
    spec = "resnet50-hm+martinez"
    model = posezoo.build(spec).placed(device).eval()
    with torch.no_grad():
        maps = model.heatmaps(batch.image)
        ways: dict[str, Callable[[], Any]] = {
            "forward": lambda: model.predict(batch),
            "backbone and head": lambda: model.heatmaps(batch.image),
            "decode": lambda: model.head.decode(maps),
        }
        timed = measure.interleaved(ways, device, seconds=seconds)
    for name, times in timed.items():
        yield Row(
            group="pipeline",
            operation=f"{name}, per picture",
            implementation=spec,
            shape=(batch_size, 3, 256, 256),
            mode="forward",
            best_ms=times.best / batch_size,
            p20_ms=times.p20 / batch_size,
            p50_ms=times.p50 / batch_size,
            p80_ms=times.p80 / batch_size,
        )


def loader(device: torch.device, *, seconds: float = 2.0) -> Iterator[Row]:
    """How many pictures a second one process makes and collates."""
    from posezoo.data.loading import training_batches  # noqa: PLC0415 - as above
    from posezoo.data.synthetic import Synthetic  # noqa: PLC0415

    for image_size in (0, 256):
        dataset = Synthetic(split="train", image_size=image_size, seed=0)
        batches = training_batches(
            dataset, batch_size=32, seed=0, first=0, last=1000, limit=0, workers=0, pin=False
        )
        stream = islice(batches, 1000)
        run = {"draw": lambda stream=stream: next(stream).to(device)}
        times = measure.interleaved(run, torch.device("cpu"), seconds=seconds)["draw"]
        yield Row(
            group="loader",
            operation="32 items" + (f" with pictures of {image_size} px" if image_size else ""),
            implementation="synthetic, one process",
            best_ms=times.best,
            p20_ms=times.p20,
            p50_ms=times.p50,
            p80_ms=times.p80,
            value=32e3 / times.p50,
            unit="items/s",
        )


GROUPS: dict[str, Callable[..., Iterator[Row]]] = {
    "kernels": kernels,
    "codec": codec,
    "pipeline": pipeline,
    "loader": loader,
}
