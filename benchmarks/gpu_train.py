"""Training steps on a GPU: `python -m benchmarks.gpu_train resnet|lifter|ranks`, a minute each.

resnet  ResNet-50 with SimpleBaseline's head at 256 px: plain PyTorch, which makes the targets as
        the textbook does, our head with eager operations, and with our kernels (goal: 0.9 of plain)
lifter  `martinez` on arrays that lie on the device: the plain loop (benchmarks/plain_lifter.py),
        the same with fused Adam, `posezoo train`'s own, and a step captured as a graph (goal: 10
        times the plain loop)
ranks   two processes on one GPU through torchrun, over gloo, since nccl wants a GPU for each: the
        gradients of a shared batch against those of one process

`--device cpu` rehearses with small sizes and writes nothing; else results/gpu_WHAT.json.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from benchmarks import field, measure, page_blocks, pipelines
from benchmarks.lifter_training import posezoo_rate
from benchmarks.plain_lifter import PlainTraining, network
from posezoo.assembly import build_dataset, build_pipeline
from posezoo.data.batches import take
from posezoo.ops import backend

Way = Callable[[], Any]


def main() -> None:
    """Measure one of the three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--rank", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        sys.exit("benchmarks.gpu_train: no CUDA device; --device cpu rehearses")
    if chosen.rank:
        _rank(torch.device(chosen.device))
        return
    rows = []
    for row in WHAT[chosen.what](torch.device(chosen.device)):
        print(row, flush=True)
        rows.append(row)
    if chosen.device == "cuda":
        page_blocks.save(f"gpu_{chosen.what}", {"results": rows}, device="cuda")
    sys.exit(any(row.get("off", 0) > 1e-5 for row in rows))


def resnet(device: torch.device) -> Iterator[dict[str, Any]]:
    """Milliseconds of forward, loss, backward and update, in bfloat16 as training has them."""
    gpu = device.type == "cuda"
    batch, extent = (64, 256) if gpu else (2, 64)
    torch.manual_seed(0)
    model: Any = build_pipeline("resnet50-deconv").to_device(device).train()
    people = pipelines.synthetic_batch(model, batch, extent).to(device)
    assert people.image is not None
    image = people.image.contiguous(memory_format=torch.channels_last)
    head, parameters = model.head, [*model.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-6, fused=True)
    cells = (people.joints2d[:, 0] + 0.5) / head.stride - 0.5

    def maps() -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return model.heatmaps(image)

    def plain() -> torch.Tensor:
        found = maps()
        size = (found.shape[-2], found.shape[-1])
        return field.torch_mse(found.float(), field.torch_targets_full(cells, size)).mean()

    def ours(path: Any) -> Callable[[], torch.Tensor]:
        def loss() -> torch.Tensor:
            with backend(path):
                return head.loss(maps(), people)

        return loss

    losses = {"plain": plain, "posezoo, eager": ours("torch")}
    losses |= {"posezoo, kernels": ours("triton")} if gpu else {}

    def step(loss: Callable[[], torch.Tensor]) -> Way:
        def run() -> None:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

        return run

    ways = {name: step(loss) for name, loss in losses.items()}
    yield from _timed(ways, device, "plain", batch)


def lifter(device: torch.device) -> Iterator[dict[str, Any]]:
    """Poses a second of a step, batch 64 and 1024."""
    gpu = device.type == "cuda"
    data = take(build_dataset("synthetic", image_size=0), range(4096))
    for batch in (64, 1024) if gpu else (8, 64):
        own = {"batch_size": batch, "device": device.type}
        arrays = data.joints2d[:, 0], data.joints3d[:, 0]
        loops = {
            name: PlainTraining(*arrays, fused=name != "plain", **own)
            for name in ("plain", "plain, fused")
        }
        few = 20 if gpu else 2
        ways: dict[str, Way] = {name: partial(loop.steps, few) for name, loop in loops.items()}
        ways["captured"] = _captured(PlainTraining(*arrays, fused=True, **own), few)
        yield from _timed(ways, device, "plain", batch * few)
        if gpu:  # the loop with its log, checks and new views
            rate = posezoo_rate(batch, 400, {}, device="cuda")
            yield {"way": "posezoo train", "items": batch, "items_per_s": rate}


def _captured(loop: PlainTraining, steps: int) -> Way:
    """The plain step as one graph: batches are drawn on the device, nothing is launched by hand."""
    device = loop.inputs.device
    loop.optimizer = torch.optim.Adam(
        loop.model.parameters(), lr=1e-3, fused=True, capturable=device.type == "cuda"
    )

    def step() -> None:
        rows = torch.randint(len(loop.inputs), (loop.batch_size,), device=device)
        difference = loop.model(loop.inputs[rows]) - loop.targets[rows]
        loop.optimizer.zero_grad(set_to_none=True)
        difference.square().mean().backward()
        loop.optimizer.step()

    if device.type != "cuda":
        return lambda: [step() for _ in range(steps)]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return lambda: [graph.replay() for _ in range(steps)]


def _timed(
    ways: dict[str, Way], device: torch.device, first: str, items: int
) -> Iterator[dict[str, Any]]:
    """Best and spread of each way, and its time over that of the first."""
    seconds = 3.0 if device.type == "cuda" else 0.05
    timed = measure.interleaved(ways, device, seconds=seconds, rounds=3, burst=2)
    for name, times in timed.items():
        yield {
            "way": name,
            "items": items,
            "best_ms": times.best,
            "p20_ms": times.p20,
            "p80_ms": times.p80,
            "items_per_s": 1e3 * items / times.best,
            "ratio": times.best / timed[first].best,
            "peak_mb": measure.peak_mb(ways[name], device),
        }


def ranks(device: torch.device) -> Iterator[dict[str, Any]]:
    """Two of torchrun's processes, whose first answers."""
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    run += ["-m", "benchmarks.gpu_train", "ranks", "--device", device.type, "--rank"]
    done = subprocess.run(
        run, cwd=page_blocks.ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=180,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(f"torchrun ended with {done.returncode}: {done.stderr[-800:]}")
    words = dict(pair.split("=") for pair in done.stdout.split())
    yield {"way": "two processes", **{name: float(value) for name, value in words.items()}}


def _rank(device: torch.device) -> None:
    """The gradients of half a batch, made the mean of both halves, against the whole's."""
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    own = network(width=64, dropout=0.0).to(device).eval()  # eval: batch norm by running statistics
    x, y = torch.randn(64, 34, device=device), torch.randn(64, 51, device=device)
    (own(x) - y).square().mean().backward()
    whole = [p.grad.clone() for p in own.parameters() if p.grad is not None]
    own.zero_grad()
    model, rank = DistributedDataParallel(own), dist.get_rank()
    begin = time.perf_counter()
    (model(x[rank::2]) - y[rank::2]).square().mean().backward()
    shared = [p.grad for p in own.parameters() if p.grad is not None]
    off = max(float((a - b).abs().max()) for a, b in zip(whole, shared, strict=True))
    if rank == 0:
        print(f"off={off} s={time.perf_counter() - begin:.3f}")
    dist.destroy_process_group()


WHAT = {"resnet": resnet, "lifter": lifter, "ranks": ranks}


if __name__ == "__main__":
    main()
