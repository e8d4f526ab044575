"""Lifter training against the textbook loop: `python -m benchmarks.lifter_training`, 6 minutes.

`martinez` as it stands, of poses of `synthetic`, by Adam: the plain loop over arrays in memory
(benchmarks/plain_lifter.py), the same with torch's fused Adam, and `posezoo train`, in float32 and
with `--set bf16=on`. Each is a process of its own and they take turns; ratios are of one round.
Then the shares of a step of ours. Writes results/lifter_training.json and a table of docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import harmonic_mean
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks import page_blocks
from benchmarks.lifter_profile import SHARES, profile
from benchmarks.plain_lifter import PlainTraining
from benchmarks.turns import contend, in_turns
from posezoo.assembly import build_dataset
from posezoo.cores import keep_freed_memory
from posezoo.data.batches import take
from posezoo.registry import parse_node, parse_pipeline
from posezoo.training.runs import plan, start

NAME = "lifter_training"
FUSED = "plain, fused"
CONTENDERS = {
    "plain": ["plain"],
    FUSED: ["fused"],
    "posezoo": ["posezoo"],
    "posezoo, bf16=on": ["posezoo", "bf16=on"],
}
# A plain script waits as OpenMP does by itself; posezoo's command line has threads that sleep.
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
_ENVIRONMENTS = {"posezoo": _PASSIVE, "posezoo, bf16=on": _PASSIVE}
_DATA, _ITEMS = "synthetic", 4096
_LOG_EVERY = 5


def main() -> None:
    """Measure, or be one of those who are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--poses", type=int, default=3200, help="of a contender's turn")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tables", action="store_true", help="write the page alone")
    parser.add_argument("--contender", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.contender:
        contend(_contender(chosen.batch[0], chosen.threads[0], chosen.poses, *chosen.contender))
        return
    if not chosen.tables:
        rows = [*_measured(chosen)]
        keep_freed_memory()
        torch.set_num_threads(1)
        page_blocks.save(NAME, {"results": rows, "shares": [*_shares(chosen.batch)]})
    report = json.loads((page_blocks.RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))
    page_blocks.write(page_blocks.SPEED, NAME, lines(report))


def _measured(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for threads in chosen.threads:
        for batch in chosen.batch:
            words = ["--batch", str(batch), "--threads", str(threads), "--poses", str(chosen.poses)]
            command = [sys.executable, "-m", f"benchmarks.{NAME}", *words, "--contender"]
            rates = in_turns(
                {name: [*command, *own] for name, own in CONTENDERS.items()},
                rounds=chosen.rounds,
                environments=_ENVIRONMENTS,
            )
            for name, found in rates.items():
                row = {"threads": threads, "batch": batch, "contender": name, "poses_per_s": found}
                print(row, flush=True)
                yield row


def _shares(batches: list[int]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        for bf16 in ("off", "on"):
            changes = {"batch_size": str(batch), "steps": str(8 + max(40, 12800 // batch))}
            ms = profile("martinez", preset="none", data=_DATA, changes=changes | {"bf16": bf16})
            yield {"batch": batch, "bf16": bf16, "ms": ms}


def _contender(
    batch: int, threads: int, poses: int, kind: str, *settings: str
) -> Callable[[], float]:
    """What takes a turn, and says how many poses a second it trained on."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    steps = max(4 * _LOG_EVERY, poses // batch)
    if kind == "posezoo":
        keep_freed_memory()  # as the command line does
        return lambda: posezoo_rate(batch, steps, dict(item.split("=", 1) for item in settings))
    data = take(build_dataset(_DATA, image_size=0), range(_ITEMS))
    plain = PlainTraining(
        data.joints2d[:, 0],
        data.joints3d[:, 0],
        batch_size=batch,
        fused=kind == "fused",
        device="cpu",
    )

    def turn() -> float:
        plain.steps(_LOG_EVERY)
        begin = time.perf_counter()
        plain.steps(steps - _LOG_EVERY)
        return (steps - _LOG_EVERY) * batch / (time.perf_counter() - begin)

    return turn


def posezoo_rate(batch: int, steps: int, settings: dict[str, str], *, device: str = "cpu") -> float:
    """Poses a second of a run's own log, without its first lines and its evaluation."""
    rates = _Rates()
    own = {"batch_size": str(batch), "steps": str(steps), "eval_every": str(steps)}
    own |= {"log_every": str(_LOG_EVERY), "eval_samples": "64"} | settings
    with TemporaryDirectory() as folder:
        run, chosen, _ = plan(
            pipeline=parse_pipeline("martinez"),
            data=parse_node(_DATA),
            preset="none",
            changes=own,
            out=Path(folder) / "run",
            device=device,
        )
        start(run, chosen, device=device, draw=False, loggers=[rates])
    return harmonic_mean(rates.found[1:])


class _Rates:
    """A logger that keeps items a second."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def step(self, record: dict[str, Any], timing: dict[str, float]) -> None:
        self.found.append(timing["items_per_s"])

    def evaluation(self, *_: Any) -> None:
        """Not of interest."""

    def note(self, text: str) -> None:
        """Not of interest."""

    def close(self) -> None:
        """Nothing to close."""


def lines(report: dict[str, Any]) -> Iterator[str]:
    """What stands between the markers of docs/speed.md."""
    yield page_blocks.where(report)
    yield ""
    groups: dict[tuple[int, int], dict[str, list[float]]] = {}
    for row in report["results"]:
        group = groups.setdefault((row["threads"], row["batch"]), {})
        group[row["contender"]] = row["poses_per_s"]
    rows = []
    for (threads, batch), rates in groups.items():
        for name, found in rates.items():
            against = [mine / its for mine, its in zip(found, rates[FUSED], strict=True)]
            middle = sorted(found)[len(found) // 2]
            cells = (name, str(threads), str(batch), f"{middle:,.0f}", page_blocks.ratio(against))
            rows.append(cells)
    headings = ("", "threads", "batch", "poses/s", f"x {FUSED}")
    yield from page_blocks.table(headings, rows)
    yield ""
    shares = []
    for row in report["shares"]:
        total = sum(row["ms"].values())
        cells = [f"{100 * row['ms'][name] / total:.1f} %" for name in SHARES]
        name = f"{row['batch']}" + ", bf16=on" * (row["bf16"] == "on")
        shares.append((name, f"{total:.1f}", *cells))
    yield from page_blocks.table(("batch", "ms of CPU a step", *SHARES), shares)


if __name__ == "__main__":
    main()
