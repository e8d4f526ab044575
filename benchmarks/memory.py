"""Memory of long work: `python -m benchmarks.memory`; exit 1 if it grows by 1 % or has no bound.

Training and predicting: resident memory at the end against that after the first tenth, the medians
of a twentieth of the readings each. Of a store, written first, what opening and shuffling it and
reading batches takes beyond the imports; pages of the mapped file are not counted, as the system
takes those back when it needs them. Each is a process of its own. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posezoo.assembly import build_pipeline
from posezoo.contracts import Batch
from posezoo.data.loading import training_batches
from posezoo.data.store.pictures import encode_jpeg
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store import Store
from posezoo.data.store.store_writer import write_store
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.inference.predictor import Predictor
from posezoo.registry import parse_node, parse_pipeline
from posezoo.training import runs
from posezoo.training.checkpoint import save_checkpoint

MOST_GROWTH = 0.01
MOST_BYTES_AN_ITEM = 128  # of a store that is open and shuffled, beside 64 MiB for its batches
_ROOM_MIB = 64.0
_FRAMES = 1000  # of a sequence of the store
_BATCH = 256
_LOOKS, _CROP_PX = "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1+martinez:width=8", 64


def memory(kind: str = "VmRSS") -> float:
    """MiB that this process has; "RssAnon" without the pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{kind}:"))


def train(folder: Path, steps: int) -> list[float]:
    """MiB after each of 1000 equal parts of a training of a tiny lifter, evaluated ten times."""
    found: list[float] = []

    class Reader:
        def note(self, text: str) -> None: ...
        def evaluation(self, step: int, evaluation: Any) -> None: ...
        def close(self) -> None: ...
        def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
            found.append(memory())

    changes = {
        "steps": steps,
        "batch_size": 4,
        "eval_every": max(1, steps // 10),
        "eval_samples": 8,
        "log_every": max(1, steps // 1000),
        "data.items": 64,
    }
    run, settings, _ = runs.plan(
        pipeline=parse_pipeline("martinez:width=8"),
        strategy=parse_node("separate"),
        preset="lifter",
        changes={name: str(value) for name, value in changes.items()},
        out=folder / "run",
        resume=False,
        device="cpu",
    )
    runs.start(run, settings, device="cpu", workers=0, loggers=[Reader()], draw=False)
    return found


def predict(folder: Path, count: int) -> list[float]:
    """MiB after each of 1000 equal parts of predictions of a tiny lifter, one pose at a time."""
    pipeline, data = build_pipeline("martinez:width=8").eval(), Synthetic(image_size=0)
    found = []
    for index in range(count):
        pipeline.predict(Batch.collate([data[index]]))
        if index % max(1, count // 1000) == 0:
            found.append(memory())
    return found


def look(folder: Path, count: int) -> list[float]:
    """MiB after each of 1000 equal parts of predictions of one JPEG, read and cut out each time."""
    pipeline = build_pipeline(_LOOKS)
    about = {"data": "synthetic", "image_size": _CROP_PX}
    save_checkpoint(folder / "looks", pipeline.state_dict(), pipeline=pipeline, provenance=about)
    image = Synthetic(image_size=256, items=1)[0].image
    assert image is not None
    (folder / "photo.jpg").write_bytes(encode_jpeg(image))
    predictor = Predictor(folder / "looks", device="cpu")
    box, found = torch.tensor([[40.0, 40.0, 170.0, 170.0]]), []
    for index in range(count):
        predictor.picture(folder / "photo.jpg", boxes=box)
        if index % max(1, count // 1000) == 0:
            found.append(memory())
    return found


def shuffle(folder: Path, items: int) -> list[float]:
    """MiB beyond file pages: before a store is opened, and the most until 200 batches are read."""
    before, peak, done = memory("RssAnon"), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, memory("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        store = Store(path=str(folder / "store.h5"), split="all")
        if len(store) != items:
            raise ValueError(f"the store has {len(store)} items, expected {items}")
        batches = training_batches(
            store,
            batch_size=_BATCH,
            seed=0,
            first=0,
            last=200,
            limit=0,
            workers=0,
            pin=False,
        )
        for _ in batches:
            pass
    finally:
        done.set()
        watcher.join()
    return [before, peak]


def write(folder: Path, items: int) -> list[float]:
    """Write the store of `shuffle`: sequences of 1000 equal frames, without pictures."""
    sample = Synthetic(image_size=0)[0]
    one = PoseSequence.single(sample, None, sequence="")

    def sequences() -> Iterator[PoseSequence]:
        for first in range(0, items, _FRAMES):
            count = min(_FRAMES, items - first)
            columns = {
                name: np.broadcast_to(getattr(one, name), (count, *getattr(one, name).shape[1:]))
                for name in (
                    *("joints2d_px", "joints3d_mm", "root_mm"),
                    *("labelled2d", "labelled3d", "visible"),
                )
            }
            yield PoseSequence(
                **columns,
                camera=one.camera,
                subject=f"P{first // _FRAMES % 10}",
                action="",
                sequence=f"s{first // _FRAMES}",
                view="",
                frame=np.arange(count),
            )

    write_store(folder / "store.h5", sequences(), skeleton=Synthetic.skeleton)
    return []


def growth(readings: list[float]) -> float:
    """Of the end over the end of the first tenth, as a share."""
    some = max(1, len(readings) // 20)
    start = len(readings) // 10
    early = statistics.median(readings[start : start + some])
    return statistics.median(readings[-some:]) / early - 1


def alone(work: Callable[[Path, int], list[float]], folder: Path, count: int) -> list[float]:
    """Do it in a fresh process of one thread."""
    with multiprocessing.get_context("spawn").Pool(1, torch.set_num_threads, (1,)) as pool:
        return pool.apply(work, (folder, count))


def main() -> None:
    """Print the table; exit 1 where something grows or has no bound."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000, help="of training")
    parser.add_argument("--predictions", type=int, default=100_000, help="of a lifter")
    parser.add_argument("--pictures", type=int, default=5_000, help="to predict")
    parser.add_argument("--items", type=int, default=1_000_000, help="of the store")
    options = parser.parse_args()
    wrong = False
    print("| work | MiB first | MiB at the end | |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, work, count in (
            ("training steps", train, options.steps),
            ("predictions", predict, options.predictions),
            ("pictures", look, options.pictures),
        ):
            found = alone(work, folder, count)
            grown = growth(found)
            wrong |= grown >= MOST_GROWTH
            early = found[len(found) // 10]
            print(f"| {count:,} {label} | {early:.1f} | {found[-1]:.1f} | {100 * grown:+.2f} % |")
        alone(write, folder, options.items)
        before, peak = alone(shuffle, folder, options.items)
        bound = _ROOM_MIB + options.items * MOST_BYTES_AN_ITEM / 2**20
        wrong |= peak - before > bound
        print(
            f"| a store of {options.items:,} items, opened and shuffled | {before:.1f} | "
            f"{peak:.1f} at most | {peak - before:.0f} of {bound:.0f} MiB |"
        )
    sys.exit(wrong)


if __name__ == "__main__":
    main()
