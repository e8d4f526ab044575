"""All lifters on one budget: `python -m benchmarks.lifters --path FOLDER --cameras FILE`.

Each is trained on true 2D joints of motion capture by preset `lifter`, and judged on people who had
no part in it; one with clips also sees 27 frames. Writes `benchmarks/results/lifters.json`, whose
rows the cards of `posezoo info` show, and the table in docs/training.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks import measure
from posezoo.evaluation.evaluate import evaluate_run
from posezoo.registry import entries, parse_node, parse_pipeline
from posezoo.report.cost import measure as measure_cost
from posezoo.training.checkpoint import load_pipeline
from posezoo.training.runs import plan, start

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "lifters.json"
PAGE = ROOT / "docs" / "training.md"
BEGIN, END = "<!-- lifters:begin -->\n", "<!-- lifters:end -->"
_FRAMES = (1, 27)
_HEADINGS = ("lifter", "weights", "MPJPE", "PA-MPJPE", "MPJPE with `--flip`", "poses/s")


@click.command()
@click.option("--path", required=True, type=click.Path(exists=True), help="Motion capture.")
@click.option("--cameras", default="", help="A JSON file of cameras.")
@click.option("--steps", default=5000, show_default=True)
@click.option("--out", default="runs/lifters", show_default=True, type=click.Path(path_type=Path))
def main(path: str, cameras: str, steps: int, out: Path) -> None:
    """Train what is not trained yet, then write data and page."""
    torch.set_num_threads(1)
    data = f"mocap:path={path}" + (f",cameras={cameras}" if cameras else "")
    rows = [_measured(spec, data, steps, out) for spec in specs()]
    report = {"circumstances": measure.circumstances(torch.device("cpu")), "results": rows}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(report) + END + rest.partition(END)[2], encoding="utf-8")


def specs() -> Iterator[str]:
    """Every built-in lifter, once for each number of frames that it can be built for."""
    for entry in entries(kind="lifter"):
        if entry.origin == "posezoo":
            clips = "frames" in entry.parameters()
            yield from (f"{entry.key}:frames={n}" for n in _FRAMES) if clips else (entry.key,)


def table(report: dict[str, Any]) -> str:
    """What stands between the page's markers, the best first."""
    where, rows = report["circumstances"], report["results"]
    lines = [
        f"{where['date'][:10]}, commit {where['commit']}, one thread of {where['device']}, torch "
        f"{where['torch']}; {rows[0]['data']}, {rows[0]['poses']} poses of people held out, mean "
        f"pose {rows[0]['mean_pose_mpjpe_mm']:.1f}, protocol {rows[0]['protocol']}, "
        f"{rows[0]['steps']:,} steps.",
        "",
        f"| {' | '.join(_HEADINGS)} |",
        f"|{'---|' * len(_HEADINGS)}",
    ]
    for row in sorted(rows, key=lambda row: row["value"]):
        low, high = row["interval"]
        cells = (
            f"`{row['entry']}`",
            f"{row['weights']:,}",
            f"{row['value']:.1f} ({low:.1f} to {high:.1f})",
            f"{row['pa_mpjpe_mm']:.1f}",
            f"{row['flip_mpjpe_mm']:.1f}",
            f"{row['poses_per_s']:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _measured(spec: str, data: str, steps: int, out: Path) -> dict[str, Any]:
    name = spec.replace(":", "-").replace("=", "")
    run, settings, _ = plan(
        pipeline=parse_pipeline(spec),
        data=parse_node(data),
        preset="lifter",
        changes={"steps": str(steps)},
        out=out / name,
        device="cpu",
    )
    cpu = torch.device("cpu")
    if not (run.path / "eval.json").is_file():
        start(run, settings, device="cpu", resume=run.exists, draw=False)
    plain, flipped = (evaluate_run(run.path, device=cpu, flip=flip) for flip in (False, True))
    print(f"{spec}: {plain.total['mpjpe_mm']:.1f}", flush=True)
    return {
        "entry": spec,
        "metric": "MPJPE",
        "value": round(plain.total["mpjpe_mm"], 2),
        "unit": "mm",
        "interval": [round(edge, 2) for edge in plain.interval["mpjpe_mm"]],
        "pa_mpjpe_mm": round(plain.total["pa_mpjpe_mm"], 2),
        "flip_mpjpe_mm": round(flipped.total["mpjpe_mm"], 2),
        "mean_pose_mpjpe_mm": round(plain.total["mean_pose_mpjpe_mm"], 2),
        "poses": plain.samples,
        "steps": steps,
        "weights": sum(w.numel() for w in load_pipeline(run.path).lifter.parameters()),
        "poses_per_s": round(measure_cost(settings, cpu).items_per_s),
        "protocol": f"{plain.protocol.key} {plain.protocol.hash}",
        "data": "motion capture, true 2D",
        "commit": measure.circumstances(cpu)["commit"],
    }


if __name__ == "__main__":
    main()
