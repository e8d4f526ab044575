"""All lifters, or all heads, on one budget: `python -m benchmarks.equal_budget lifters --path ...`.

Each is trained on the same motion capture with the same steps, batches and seeds, and judged on
people who had no part in it. Lifters see true 2D joints; one with clips sees 1 and 9 frames. Heads
see drawn pictures of 64 px; one that gives 2D joints learns together with `martinez`. What is too
large for minutes on one core is made smaller, and its row says how. Writes
`benchmarks/results/lifters.json` or `heads.json`, which the cards of `posezoo info` show, and the
table in docs/training.md. What is trained already is not trained again.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks import measure
from posezoo.assembly import build_pipeline
from posezoo.registry import entries, parse_node, parse_pipeline
from posezoo.report.cost import measure as measure_cost
from posezoo.training.run_folder import RunFolder
from posezoo.training.runs import plan, start

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "training.md"
_FRAMES = (1, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What all trainings of a table have in common, and how the large ones are made to fit."""

    kind: str
    preset: str
    changes: dict[str, str]
    data: str  # settings of the dataset, beside where it is
    shown: str  # what the data are, in words
    sizes: dict[str, str]  # by key: parameters of an entry that is too large as it is

    @property
    def results(self) -> Path:
        """The table as data."""
        return ROOT / "benchmarks" / "results" / f"{self.kind}s.json"

    @property
    def markers(self) -> tuple[str, str]:
        """Between which lines of the page the table stands."""
        return f"<!-- {self.kind}s:begin -->\n", f"<!-- {self.kind}s:end -->"


BUDGETS = {
    "lifters": Budget(
        kind="lifter",
        preset="lifter",
        changes={"steps": "800", "batch_size": "32"},
        data="",
        shown="motion capture, true 2D",
        sizes={
            "dstformer": "depth=2,representation=64,width=64",
            "mixste": "depth=4,width=64",
            "motionagformer": "depth=4,representation=64,width=32",
            "motionagformer:frames=1": "depth=4,neighbours=1,representation=64,width=32",
        },
    ),
    "heads": Budget(
        kind="head",
        preset="laptop",
        changes={"steps": "500"},
        data="stride=3",
        shown="motion capture, drawn at 64 px",
        sizes={
            "coarse_to_fine": "depths=1x16",
            "deconv": "layers=1",
            "dsnt": "layers=1",
            "hourglass": "stacks=2,width=128",
            "integral": "layers=1",
            "locmap": "layers=1",
            "resnet50": "cut=layer2",
            "simcc": "image_size=64x64,layers=1",
            "volumetric": "depth=16,layers=1",
        },
    ),
}


@click.command()
@click.argument("kind", type=click.Choice(sorted(BUDGETS)))
@click.option("--path", required=True, type=click.Path(exists=True), help="Motion capture.")
@click.option("--cameras", default="", help="A JSON file of cameras.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=2))
@click.option("--out", default="runs/budget", show_default=True, type=click.Path(path_type=Path))
def main(kind: str, path: str, cameras: str, seeds: int, out: Path) -> None:
    """Train what is not trained yet, then write data and page."""
    torch.set_num_threads(1)
    budget = BUDGETS[kind]
    data = f"mocap:path={path}" + (f",cameras={cameras}" if cameras else "")
    data += f",{budget.data}" if budget.data else ""
    rows = [_measured(spec, data, budget, seeds, out) for spec in specs(budget)]
    report = {"circumstances": measure.circumstances(torch.device("cpu")), "results": rows}
    budget.results.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    begin, end = budget.markers
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(before + begin + table(report) + end + rest.partition(end)[2], encoding="utf-8")


def specs(budget: Budget) -> Iterator[str]:
    """A pipeline for each built-in entry of the kind; a lifter's for each number of frames."""
    for entry in entries(kind=budget.kind):
        if entry.origin != "posezoo":
            continue
        if budget.kind == "head":
            example = parse_pipeline(entry.facts["example"])
            lifter = f"+{example.lifter.key}" if example.lifter else ""
            yield f"{_sized(example.backbone.key, budget)}-{_sized(entry.key, budget)}{lifter}"
        elif "frames" in entry.parameters():
            yield from (_sized(entry.key, budget, f"frames={n}") for n in _FRAMES)
        else:
            yield _sized(entry.key, budget)


def _sized(key: str, budget: Budget, *settings: str) -> str:
    """An entry with its settings, and those that make it fit."""
    fitting = budget.sizes.get(":".join((key, *settings)), budget.sizes.get(key))
    settings = (*settings, *filter(None, [fitting]))
    return f"{key}:{','.join(settings)}" if settings else key


def table(report: dict[str, Any]) -> str:
    """What stands between the page's markers, the best first."""
    where, rows = report["circumstances"], report["results"]
    first = rows[0]
    pictures = any(row["error_2d_px"] for row in rows)
    headings = ["pipeline", "weights", "MPJPE", "PA-MPJPE", *(["2D px"] if pictures else [])]
    headings += ["items/s"]
    lines = [
        f"{where['date'][:10]}, commit {where['commit']}, one thread of {where['device']}, torch "
        f"{where['torch']}; {first['data']}, {first['poses']} poses of people held out, mean pose "
        f"{first['mean_pose_mpjpe_mm']:.1f}, protocol {first['protocol']}; preset "
        f"`{first['preset']}`, {first['steps']:,} steps of {first['batch_size']}, "
        f"{len(first['values'])} seeds; ± is the standard deviation over them.",
        "",
        f"| {' | '.join(headings)} |",
        f"|---|{'--:|' * (len(headings) - 1)}",
    ]
    for row in sorted(rows, key=lambda row: row["value"]):
        cells = [f"`{row['entry']}`", f"{row['weights']:,}", _spread(row["values"])]
        cells += [_spread(row["pa_mpjpe_mm"])]
        if pictures:
            cells += [_spread(row["error_2d_px"]) if row["error_2d_px"] else ""]
        cells += [f"{row['items_per_s']:,}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def _measured(spec: str, data: str, budget: Budget, seeds: int, out: Path) -> dict[str, Any]:
    runs = [_trained(spec, data, budget, seed, out) for seed in range(seeds)]
    scores = [json.loads((run.path / "eval.json").read_text(encoding="utf-8")) for run in runs]
    values = [round(score["mpjpe_mm"], 2) for score in scores]
    print(f"{spec}: {_spread(values)}", flush=True)
    settings, cpu = runs[0].settings(), torch.device("cpu")
    finds_joints = "2D joints" not in scores[0]["ground_truth_inputs"]
    return {
        "entry": spec,
        "metric": "MPJPE",
        "value": round(statistics.mean(values), 2),
        "values": values,
        "unit": "mm",
        "pa_mpjpe_mm": [round(score["pa_mpjpe_mm"], 2) for score in scores],
        "error_2d_px": [
            round(score["error_2d_px"], 2)
            for score in scores
            if finds_joints and score.get("error_2d_px") is not None
        ],
        "mean_pose_mpjpe_mm": round(scores[0]["mean_pose_mpjpe_mm"], 2),
        "poses": scores[0]["samples"],
        "preset": budget.preset,
        "steps": settings.steps,
        "batch_size": settings.batch_size,
        "weights": sum(
            weight.numel()
            for part in build_pipeline(settings.pipeline).parts.values()
            for weight in part.parameters()
        ),
        "items_per_s": round(measure_cost(settings, cpu).items_per_s),
        "protocol": f"{scores[0]['protocol']['key']} {scores[0]['protocol']['hash']}",
        "data": budget.shown,
        "commit": measure.circumstances(cpu)["commit"],
    }


def _trained(spec: str, data: str, budget: Budget, seed: int, out: Path) -> RunFolder:
    name = f"{spec}-{seed}".translate(str.maketrans(":=,", "---"))
    run, settings, _ = plan(
        pipeline=parse_pipeline(spec),
        data=parse_node(data),
        preset=budget.preset,
        changes=budget.changes | {"seed": str(seed)},
        out=out / name,
        device="cpu",
    )
    if not (run.path / "eval.json").is_file():
        start(run, settings, device="cpu", resume=run.exists, draw=False)
    return run


if __name__ == "__main__":
    main()
