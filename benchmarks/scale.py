"""How cost grows: `python -m benchmarks.scale`, 4 minutes; `--small` rehearses it in one.

With the number of stored poses (writing, opening, the first shuffle, a batch, memory), with the
frames that a lifter sees, with the people of a picture, and with processes that share a batch, of
which one and two are measured and 8 and 64 computed. Writes results/scale.json and the tables of
docs/scale.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from benchmarks import page_blocks
from benchmarks.memory import alone, memory, write
from benchmarks.plain_lifter import network
from posezoo.assembly import build_pipeline
from posezoo.data.loading import StepSampler
from posezoo.data.store.store import Store
from posezoo.detectors.blazepose import BlazePose

NAME = "scale"
ITEMS = (1_000, 10_000, 100_000, 1_000_000)
FRAMES = (1, 9, 27, 81, 243)
PEOPLE = (1, 2, 4, 8, 16)
NETWORKS = ("semgcn", "martinez", "resnet50-hm+martinez", "vit-hm+martinez")
LINKS = {"10 Gbit/s Ethernet": 1.1, "100 Gbit/s": 11.0, "PCIe 4 x16": 25.0, "NVLink 4": 400.0}
_GPU_TFLOPS = 100.0  # of a step on a GPU: assumed, nobody has measured it here
_BATCH = 64


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a rehearsal, which writes nothing")
    parser.add_argument("--tables", action="store_true", help="write the page alone")
    chosen = parser.parse_args()
    if not chosen.tables:
        torch.set_num_threads(1)
        few: Any = slice(0, 2) if chosen.small else slice(None)
        results = {
            "data": [*_data(ITEMS[few])],
            "frames": [*_frames(FRAMES[few])],
            "people": [*_people(PEOPLE[few])],
            "devices": [*_devices(512, 3 if chosen.small else 15)],
            "networks": [*_networks(NETWORKS[few])],
        }
        if chosen.small:
            return
        page_blocks.save(NAME, results)
    report = json.loads((page_blocks.RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))
    for name, shown in TABLES.items():
        page_blocks.write(page_blocks.SCALE, f"{NAME}_{name}", shown(report))


def _data(sizes: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    for items in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            begin = time.perf_counter()
            alone(write, folder, items)
            row: dict[str, Any] = {"items": items, "write_s": time.perf_counter() - begin}
            row["file_mib"] = (folder / "store.h5").stat().st_size / 2**20
            found = alone(opened, folder, items)
        row |= dict(zip(("open_s", "shuffle_s", "batch_ms", "mib"), found, strict=True))
        print(row, flush=True)
        yield row


def opened(folder: Path, items: int) -> list[float]:
    """Seconds to open a store and to shuffle it, ms of a batch, MiB beyond pages of the file."""
    before = memory("RssAnon")
    begin = time.perf_counter()
    store = Store(path=str(folder / "store.h5"), split="all")
    opening = time.perf_counter() - begin
    begin = time.perf_counter()
    steps = StepSampler(
        length=items, limit=0, batch_size=_BATCH, seed=0, first=0, last=max(2, items // _BATCH)
    )
    batches = iter(steps)
    first = next(batches)
    shuffling = time.perf_counter() - begin
    store.__getitems__(first)
    times = []
    for batch in (next(batches) for _ in range(min(50, len(steps) - 1))):
        begin = time.perf_counter()
        store.__getitems__(batch)
        times.append(time.perf_counter() - begin)
    milliseconds = 1e3 * sorted(times)[len(times) // 2]
    return [opening, shuffling, milliseconds, memory("RssAnon") - before]


def _frames(sizes: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    for frames in sizes:
        row: dict[str, Any] = {"frames": frames}
        for key in ("tcn", "mixste"):
            wide = ",width=256" if key == "tcn" else ",width=64,depth=4"
            lifter: Any = build_pipeline(f"{key}:frames={frames}{wide}").lifter.eval()
            told = lifter.normalisation.inputs_by_joint
            window = torch.randn(1, frames, 17, told)
            with torch.inference_mode():
                row[key] = _best_ms(lambda lifter=lifter, window=window: lifter.network(window))
            row[f"{key}_weights"] = sum(p.numel() for p in lifter.parameters())
        print(row, flush=True)
        yield row


def _people(sizes: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Of a picture of 1280 x 720 px, with boxes given: weights say who is there, not how long."""
    torch.manual_seed(0)
    detector, picture = BlazePose(), torch.randint(0, 256, (720, 1280, 3), dtype=torch.uint8)
    lifter = build_pipeline("semgcn").eval()
    for people in sizes:
        boxes = torch.tensor([[100.0 + 50 * place, 100, 200, 500] for place in range(people)])
        joints = torch.rand(people, 1, 17, 2) * 500
        camera = _camera(people)
        row = {
            "people": people,
            "find_ms": _best_ms(lambda boxes=boxes: detector(picture, boxes=boxes)),
        }
        with torch.inference_mode():
            row["lift_ms"] = _best_ms(lambda j=joints, c=camera: lifter.lift(j, c))
        print(row, flush=True)
        yield row


def _camera(count: int) -> Any:
    from posezoo.camera import Camera  # noqa: PLC0415 - of this measurement alone

    one = Camera.make(focal_px=(1000, 1000), centre_px=(640, 360)).to(torch.float32)
    return Camera.stack([one] * count)


def _best_ms(run: Callable[[], Any], repeats: int = 5) -> float:
    run()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return 1e3 * min(times)


def _devices(batch: int, steps: int) -> Iterator[dict[str, Any]]:
    """A step of `martinez` shared by one and by two processes of a thread each, over gloo."""
    for size in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            context = torch.multiprocessing.get_context("spawn")
            answers = context.SimpleQueue()
            meeting = f"file://{folder}/ranks"
            ranks = [
                context.Process(target=_rank, args=(rank, size, meeting, batch, steps, answers))
                for rank in range(size)
            ]
            for each in ranks:
                each.start()
            found = [answers.get() for _ in ranks]
            for each in ranks:
                each.join()
        step, reduce_s, numbers = max(found)
        row = {"processes": size, "batch": batch, "step_ms": 1e3 * step}
        row |= {"all_reduce_ms": 1e3 * reduce_s, "gradient_mb": 4 * numbers / 1e6}
        print(row, flush=True)
        yield row


def _rank(rank: int, size: int, meeting: str, batch: int, steps: int, answers: Any) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    own = network().train()
    numbers = sum(p.numel() for p in own.parameters())
    model = own if size == 1 else DistributedDataParallel(own)
    optimizer = torch.optim.Adam(own.parameters(), fused=True)
    x, y = torch.randn(batch // size, 34), torch.randn(batch // size, 51)

    def step() -> None:
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()

    gradients = torch.randn(numbers)
    seconds = [_median_s(step, steps), _median_s(lambda: dist.all_reduce(gradients), steps)]
    answers.put((*seconds, numbers))
    dist.destroy_process_group()


def _median_s(run: Callable[[], Any], repeats: int) -> float:
    run()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2]


def _networks(keys: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Weights, and the arithmetic of a training step for an item."""
    for key in keys:
        pipeline = build_pipeline(key)
        weights = sum(p.numel() for p in pipeline.parameters())
        row = {"key": key, "weights": weights, "flop_an_item": _flop(pipeline)}
        print(row, flush=True)
        yield row


def _flop(pipeline: Any) -> float:
    """Of a training step, an item: counted by torch on the forward, three times."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - half a second

    pipeline.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        if pipeline.has_image:
            pipeline(torch.zeros(1, 3, 256, 256), _camera(1))
        else:
            pipeline.lift(torch.rand(1, 1, 17, 2) * 500, _camera(1))
    return 3.0 * counter.get_total_flops()


def modelled(
    *, weights: int, flop_an_item: float, batch: int, devices: int, gb_per_s: float
) -> tuple[float, float]:
    """Milliseconds of computing and of the ring all-reduce of a step, `batch` items a device.

    Each device sends and receives 2 (n - 1) / n times the gradients, 4 bytes a weight.
    """
    computing = batch * flop_an_item / (_GPU_TFLOPS * 1e12)
    sent = 2 * (devices - 1) / devices * 4 * weights
    return 1e3 * computing, 1e3 * sent / (gb_per_s * 1e9)


def _data_table(report: dict[str, Any]) -> Iterator[str]:
    yield page_blocks.where(report)
    yield ""
    rows = [
        (f"{r['items']:,}", f"{r['write_s']:.1f}", f"{r['file_mib']:.1f}", f"{r['open_s']:.3f}",
         f"{r['shuffle_s']:.3f}", f"{r['batch_ms']:.2f}", f"{r['mib']:.0f}")
        for r in report["data"]
    ]  # fmt: skip
    headings = (
        "poses",
        "write s",
        "file MiB",
        "open s",
        "shuffle s",
        "batch of 64 ms",
        "memory MiB",
    )
    yield from page_blocks.table(headings, rows)


def _frames_table(report: dict[str, Any]) -> Iterator[str]:
    rows = [
        (f"{r['frames']}", f"{r['tcn']:.2f}", f"{r['tcn_weights']:,}", f"{r['mixste']:.2f}",
         f"{r['mixste'] / r['frames']:.2f}")
        for r in report["frames"]
    ]  # fmt: skip
    headings = ("frames", "`tcn` ms", "its weights", "`mixste` ms", "ms a frame")
    yield from page_blocks.table(headings, rows)


def _people_table(report: dict[str, Any]) -> Iterator[str]:
    rows = [
        (f"{r['people']}", f"{r['find_ms']:.0f}", f"{r['find_ms'] / r['people']:.0f}",
         f"{r['lift_ms']:.1f}", f"{r['lift_ms'] / r['people']:.1f}")
        for r in report["people"]
    ]  # fmt: skip
    headings = ("people", "finding joints ms", "each", "lifting ms", "each")
    yield from page_blocks.table(headings, rows)


def _devices_table(report: dict[str, Any]) -> Iterator[str]:
    one, two = report["devices"]
    rows = [
        (f"{r['processes']}", f"{r['step_ms']:.1f}", f"{r['all_reduce_ms']:.1f}",
         f"{one['step_ms'] / r['step_ms']:.2f}")
        for r in (one, two)
    ]  # fmt: skip
    yield from page_blocks.table(("processes", "step ms", "all-reduce alone ms", "speed-up"), rows)


def _model_table(report: dict[str, Any]) -> Iterator[str]:
    rows = []
    for row in report["networks"]:
        own = {"weights": row["weights"], "flop_an_item": row["flop_an_item"], "batch": _BATCH}
        compute, _ = modelled(**own, devices=2, gb_per_s=1)
        cells = [f"`{row['key']}`", f"{4 * row['weights'] / 1e6:.0f}", f"{compute:.2f}"]
        for rate in LINKS.values():
            sends = [modelled(**own, devices=n, gb_per_s=rate)[1] for n in (8, 64)]
            cells.append(" / ".join(f"{100 * compute / max(compute, s):.0f} %" for s in sends))
        rows.append(cells)
    headings = ("network", "MB of gradients", "ms of computing", *LINKS)
    yield from page_blocks.table(headings, rows)


TABLES = {
    "data": _data_table,
    "frames": _frames_table,
    "people": _people_table,
    "devices": _devices_table,
    "model": _model_table,
}


if __name__ == "__main__":
    main()
