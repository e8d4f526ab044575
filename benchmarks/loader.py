"""Loading: items a second by number of worker processes, and how long a training step waits."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.rows import Row
from posezoo.assembly import build_pipeline, build_strategy
from posezoo.contracts import Batch, Dataset
from posezoo.data.loading import training_batches
from posezoo.data.store.store import Store
from posezoo.data.store.store_writer import export
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.training.meter import Meter

BATCH = 16
STORED = 320  # pictures of the store, 256 px as JPEG
STEPS = 12  # of training, to see how long they wait
PIPELINE = "resnet50:cut=layer2-hm:block_b=false,decode=soft,strides=2+martinez"  # as `laptop`


def loader(device: torch.device, *, seconds: float = 2.0) -> Iterator[Row]:
    """Sources by workers; then the share of training that is spent waiting for batches.

    Rates are wall clock, the first batch left out: workers are processes of their own, and their
    CPU time is not this one's.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.h5"
        export(Synthetic(split="train", image_size=256), path, STORED, val="P00")
        stored = Store(path=str(path), image_size=64)
        sources: list[tuple[str, str, Dataset]] = [
            ("poses, no pictures", "synthetic", Synthetic(split="train", image_size=0)),
            ("pictures of 64 px, drawn", "synthetic", Synthetic(split="train", image_size=64)),
            ("pictures of 64 px, JPEG", "store", stored),
            ("pictures of 256 px, JPEG", "store", Store(path=str(path), image_size=256)),
        ]
        for (what, name, dataset), workers in itertools.product(sources, (0, 1, 2)):
            yield Row(
                group="loader",
                operation=f"items: {what}",
                implementation=f"{name}, {workers} workers",
                value=_rate(dataset, workers, device, seconds),
                unit="items/s",
            )
        for workers in (0, 1, 2):
            yield Row(
                group="loader",
                operation="training on 64 px, JPEG: waiting",
                implementation=f"store, {workers} workers",
                value=100 * _waiting(stored, workers, device),
                unit="% of the time",
            )


def _batches(dataset: Dataset, workers: int) -> Iterator[Batch]:
    loaded = iter(
        training_batches(
            dataset,
            batch_size=BATCH,
            seed=0,
            first=0,
            last=100_000,
            limit=0,
            workers=workers,
            pin=False,
        )
    )
    next(loaded)  # workers have started
    return loaded


def _rate(dataset: Dataset, workers: int, device: torch.device, seconds: float) -> float:
    batches, drawn, start = _batches(dataset, workers), 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(batches).to(device)
        drawn += BATCH
    return drawn / (time.perf_counter() - start)


def _waiting(dataset: Dataset, workers: int, device: torch.device) -> float:
    """The share of the time of `STEPS` training steps in which no batch was there."""
    pipeline = build_pipeline(PIPELINE).to_device(device).train()
    (stage,) = build_strategy("multitask").stages(pipeline)
    optimizer = torch.optim.SGD(pipeline.parameters(), 1e-6)
    meter = Meter()
    for batch in meter.waiting(itertools.islice(_batches(dataset, workers), STEPS)):
        terms = stage.losses(pipeline, batch.to(device), 0.0)
        optimizer.zero_grad()
        torch.stack([*terms.values()]).sum().backward()
        optimizer.step()
        meter.add(terms, len(batch))
    return meter.read()[1]["wait_share"]
