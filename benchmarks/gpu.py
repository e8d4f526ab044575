"""`python -m benchmarks.gpu`: the fourth tier of proof and the whole bench on a GPU, in 8 minutes.

In order: the kernels' own tests on the device; CUDA graphs, torch.compile and a second stream;
compute-sanitizer where it is installed; every kernel against every formulation; a training step of
ResNet-50 with the fused path and with eager operations. Writes results/gpu-DEVICE.json and .md.
A step that the time does not reach is named as such. `--rehearse` runs the same code on the CPU
with small shapes, to find its mistakes where there is no GPU.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import groups, measure, pipelines, tables
from benchmarks.rows import Row
from posezoo.ops import backend, decode, heatmap_mse, soft_argmax

ROOT = Path(__file__).parents[1]
LIMIT_S = 460
_SHAPES = [
    ((64, 17, 64, 64), torch.float32, False),
    ((256, 17, 128, 128), torch.float32, True),
    ((256, 17, 128, 128), torch.bfloat16, False),
    ((32, 17, 64, 64, 64), torch.bfloat16, True),
    ((256, 17, 64, 64), torch.bfloat16, False),
]


def main() -> None:
    """Run all steps and write what they found; exit code 1 if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, small")
    rehearse = parser.parse_args().rehearse
    if not rehearse and not torch.cuda.is_available():
        sys.exit("benchmarks.gpu: no CUDA device; --rehearse runs the same steps on the CPU")
    device = torch.device("cpu" if rehearse else "cuda")
    start, rows = time.monotonic(), []
    steps: list[Callable[[], Iterator[Row]]] = [
        lambda: _tests(rehearse),
        lambda: _checks(device),
        lambda: _sanitizer(rehearse),
        lambda: _step(device, rehearse),
        *(lambda case=case: _bench(device, rehearse, *case) for case in _SHAPES),
        lambda: groups.codec(device, seconds=0.05),
        lambda: groups.pipeline(device, seconds=0.05 if rehearse else 0.5),
    ]
    name = "rehearsal" if rehearse else torch.cuda.get_device_name().replace(" ", "-").lower()
    path = Path(__file__).parent / "results" / f"gpu-{name}.json"
    for step in steps:
        if time.monotonic() - start > LIMIT_S:
            rows.append(Row(group="gpu", operation="rest", implementation="", gate="not reached"))
            break
        for row in step():
            rows.append(row)
            print(" | ".join(filter(None, tables.cells(row))), flush=True)
        tables.save(path, device, rows, [])  # what was found so far outlives a cut-off
    static = groups.static_columns() if measure.circumstances(device)["triton"] else []
    tables.save(path, device, rows, static)
    path.with_suffix(".md").write_text(_markdown(rows))
    print(f"{time.monotonic() - start:.0f} s; wrote {path} and {path.with_suffix('.md').name}")
    sys.exit(any(row.group == "check" and row.gate != "pass" for row in rows))


def _bench(
    device: torch.device,
    rehearse: bool,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    compiled: bool,
) -> Iterator[Row]:
    """All formulations at one shape and type."""
    if rehearse:
        shape, dtype, compiled = (2, 3, *(16 for _ in shape[2:])), torch.float32, False
    yield from groups.kernels(
        device, seconds=0.05, compiled=compiled, shapes=[shape], dtypes=[dtype]
    )


def _row(operation: str, failure: str = "") -> Row:
    return Row(group="check", operation=operation, implementation="posezoo", gate=failure or "pass")


def _tests(rehearse: bool) -> Iterator[Row]:
    """The tests of operations and kernels, which take the GPU where there is one."""
    chosen = ["-k", "gaussians or empty"] if rehearse else []
    files = ["tests/kernels/test_maps.py", "tests/kernels/test_heads.py"]
    run = [sys.executable, "-m", "pytest", "-q", *files, *chosen]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    last = (done.stdout.splitlines() or [done.stderr])[-1]
    print(last, flush=True)
    yield _row("tests/kernels on the device", "" if done.returncode == 0 else last)


def _checks(device: torch.device) -> Iterator[Row]:
    """Eager, compiled and replayed from a graph give the same values and gradients."""
    maps = torch.randn(4, 17, 64, 48, device=device).requires_grad_()
    joints = torch.rand(4, 17, 2, device=device) * 40

    def work(given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        place = soft_argmax(given, inverse_temperature=5.0, scale=4.0, offset=1.5)
        loss = heatmap_mse(given, joints, sigma_cells=2.0).sum() + place.mean()
        return (*torch.autograd.grad(loss, given), place, *decode(given, refine="dark"))

    with backend("torch"):
        truth = work(maps)

    def same(found: tuple[torch.Tensor, ...]) -> str:
        off = max((a - b).abs().max().item() for a, b in zip(found, truth, strict=True))
        return "" if off < 1e-3 else f"off by {off:.2g}"

    yield _row("eager", same(work(maps)))
    if device.type != "cuda":
        return

    def step(given: torch.Tensor) -> torch.Tensor:
        place = soft_argmax(given, inverse_temperature=5.0, scale=4.0, offset=1.5)
        return heatmap_mse(given, joints, sigma_cells=2.0).sum() + place.mean()

    compiled = torch.compile(step, fullgraph=True)
    off = (torch.autograd.grad(compiled(maps), maps)[0] - truth[0]).abs().max().item()
    yield _row("torch.compile, fullgraph", "" if off < 1e-3 else f"off by {off:.2g}")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        work(maps)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = work(maps)
    for result in captured:
        result.detach().zero_()
    graph.replay()
    torch.cuda.synchronize()
    yield _row("CUDA graph", same(captured))
    torch.cuda.set_sync_debug_mode("error")
    try:
        work(maps)
        failure = ""
    except RuntimeError as error:  # what the debug mode raises for a hidden synchronisation
        failure = str(error).splitlines()[0]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    yield _row("no host synchronisation", failure)
    large = torch.zeros(482, 17, 64, 64, 64, dtype=torch.bfloat16, device=device)  # 4.3 GB
    large[-1, -1, 60, 61, 62] = 30
    place = soft_argmax(large, inverse_temperature=5.0)[-1, -1].tolist()
    yield _row("past 2^31 cells", "" if place == [62, 61, 60] else f"got {place}")


def _sanitizer(rehearse: bool) -> Iterator[Row]:
    """compute-sanitizer's memory check over a few kernels."""
    tool = shutil.which("compute-sanitizer")
    if rehearse or tool is None:
        why = "rehearsal" if rehearse else "compute-sanitizer is not installed"
        yield Row(group="gpu", operation="sanitizer", implementation="", gate=f"not run: {why}")
        return
    tests = [sys.executable, "-m", "pytest", "-q", "tests/kernels/test_maps.py"]
    run = [tool, "--error-exitcode", "9", *tests, "-k", "11 and float32"]
    try:
        done = subprocess.run(
            run, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90
        )
        failure = "" if done.returncode == 0 else f"exit code {done.returncode}"
    except subprocess.TimeoutExpired:
        failure = "not finished in 90 s"
    yield _row("compute-sanitizer memcheck", failure)


def _step(device: torch.device, rehearse: bool) -> Iterator[Row]:
    """A training step of ResNet-50 with heatmaps: fused, eager, and without the loss."""
    import posezoo  # noqa: PLC0415 - the other steps need no pipeline

    batch = 1 if rehearse else 64
    extent = 64 if rehearse else 256
    model: Any = posezoo.build("resnet50-hm+martinez").to_device(device).train()
    people = pipelines.synthetic_batch(model, batch, extent).to(device)
    image = people.image.contiguous(memory_format=torch.channels_last)
    parameters = [p for part in (model.backbone, model.head) for p in part.parameters()]

    def train(path: str) -> Callable[[], Any]:
        def run() -> None:
            with backend(path):  # type: ignore[arg-type]
                with torch.autocast(device.type, dtype=torch.bfloat16):
                    maps = model.heatmaps(image)
                loss = model.head.loss(maps, people)
            torch.autograd.grad(loss, parameters)

        return run

    with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
        leaf = model.heatmaps(image)
    leaf = leaf.detach().requires_grad_()

    def loss_alone(path: str) -> Callable[[], Any]:
        def run() -> None:
            with backend(path):  # type: ignore[arg-type]
                torch.autograd.grad(model.head.loss(leaf, people), leaf)

        return run

    names = {"torch": "eager"} if device.type == "cpu" else {"triton": "fused", "torch": "eager"}
    ways = {f"training step, {name}": train(path) for path, name in names.items()}
    ways |= {f"heatmap loss alone, {name}": loss_alone(path) for path, name in names.items()}
    for operation, times in measure.interleaved(ways, device, seconds=1.0).items():
        yield Row(
            group="gpu",
            operation=operation,
            implementation="resnet50-hm",
            shape=(batch, 3, extent, extent),
            dtype="bfloat16",
            mode="both",
            best_ms=times.best,
            p20_ms=times.p20,
            p50_ms=times.p50,
            p80_ms=times.p80,
            peak_mb=measure.peak_mb(ways[operation], device),
        )


def _markdown(rows: list[Row]) -> str:
    lines = ["| " + " | ".join(tables.HEADINGS) + " |", "|---" * len(tables.HEADINGS) + "|"]
    lines += ["| " + " | ".join(tables.cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
