"""What bfloat16 costs a lifter: `python -m benchmarks.lifter_bf16 --path FOLDER`, 4 minutes.

`martinez` by preset `lifter` on motion capture, once in float32 and once with `--set bf16=on`, of
three seeds; both are judged in float32, on the same people who had no part in it. Writes
results/lifter_bf16.json and a table of docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks import page_blocks
from posezoo.cores import keep_freed_memory
from posezoo.evaluation.evaluate import evaluate_run
from posezoo.registry import parse_node, parse_pipeline
from posezoo.training.runs import plan, start

NAME = "lifter_bf16"


def main() -> None:
    """Train all and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", help="motion capture: a file or a folder")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="sets", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--tables", action="store_true", help="write the page alone")
    chosen = parser.parse_args()
    if not chosen.tables:
        if not chosen.path:
            parser.error("--path FOLDER: of *_poses17.h5 files (docs/data.md)")
        keep_freed_memory()
        torch.set_num_threads(1)
        sets = dict(item.split("=", 1) for item in chosen.sets)
        rows = [
            _trained(chosen.path, bf16, sets | {"seed": str(seed), "steps": str(chosen.steps)})
            for seed in range(chosen.seeds)
            for bf16 in ("off", "on")
        ]
        page_blocks.save(NAME, {"steps": chosen.steps, "results": rows})
    report = json.loads((page_blocks.RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))
    page_blocks.write(page_blocks.SPEED, NAME, lines(report))


def _trained(path: str, bf16: str, changes: dict[str, str]) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        run, settings, _ = plan(
            pipeline=parse_pipeline("martinez"),
            data=parse_node("mocap").with_params(path=path),
            preset="lifter",
            changes=changes | {"bf16": bf16},
            out=Path(folder) / "run",
            device="cpu",
        )
        begin = time.process_time()
        start(run, settings, device="cpu", draw=False)
        seconds = time.process_time() - begin
        total = evaluate_run(run.path, device=torch.device("cpu")).total
    row = {"seed": settings.seed, "bf16": bf16, "cpu_s": round(seconds, 1)}
    row |= {name: round(total[name], 2) for name in ("mpjpe_mm", "pa_mpjpe_mm")}
    print(row, flush=True)
    return row


def lines(report: dict[str, Any]) -> Iterator[str]:
    """What stands between the markers of docs/speed.md."""
    seeds = len({row["seed"] for row in report["results"]})
    yield f"{page_blocks.where(report)} {report['steps']:,} steps of 64, {seeds} seeds each."
    yield ""
    errors: dict[str, list[float]] = {"off": [], "on": []}
    rows = []
    for bf16, found in errors.items():
        own = [row for row in report["results"] if row["bf16"] == bf16]
        found += [row["mpjpe_mm"] for row in own]
        spread = f"{mean(found):.1f} ± {stdev(found):.1f}" if seeds > 1 else f"{found[0]:.1f}"
        pa = mean(row["pa_mpjpe_mm"] for row in own)
        rows.append((f"bf16={bf16}", spread, f"{pa:.1f}", f"{mean(r['cpu_s'] for r in own):.0f}"))
    headings = ("", "MPJPE mm", "PA-MPJPE mm", "CPU s of a training")
    yield from page_blocks.table(headings, rows)
    yield ""
    differences = [on - off for off, on in zip(errors["off"], errors["on"], strict=True)]
    said = ", ".join(f"{each:+.1f}" for each in differences)
    yield f"Of each seed, bf16=on less bf16=off: {said} mm."


if __name__ == "__main__":
    main()
