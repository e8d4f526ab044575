"""All lifters under the conditions of `anylift`, and `anylift` with each of its choices undone.

    python -m benchmarks.lifters_alike lifters --path FOLDER --val S03/S07/S127 --other FILE
    python -m benchmarks.lifters_alike choices --path FOLDER --val S03/S07/S127 --other FILE

Each training sees as many poses of the same people in the same views, with the same errors. Those
that cannot do without a joint are told all of them. What is too large for minutes on one core is
made smaller, as in `benchmarks.equal_budget`. Writes benchmarks/results/lifters_alike.json or
lifter_choices.json and the tables of docs/lifting.md; what is trained already is not trained again.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import torch

from benchmarks import measure, page_blocks
from benchmarks.equal_budget import BUDGETS
from benchmarks.lifters_in_use import PAGE, errors_under
from posezoo.assembly import build_pipeline
from posezoo.evaluation.protocol import find_protocol
from posezoo.lifters import _anylift_view, anylift
from posezoo.registry import parse_node, parse_pipeline
from posezoo.training.runs import plan, start

STUDIES = {"lifters": "lifters_alike", "choices": "lifter_choices"}
PROTOCOLS = {  # and whose people
    "studio": ("studio", "held out"),
    "any": ("any-camera", "held out"),
    "guessed": ("any-camera-guessed", "held out"),
    "noisy": ("any-camera-noisy", "held out"),
    "COCO's": ("any-camera-coco17", "held out"),
    "no legs": ("any-camera-lower-half-missing", "held out"),
    "any, other lab": ("any-camera", "other"),
    "noisy, other lab": ("any-camera-noisy", "other"),
}
_BODY = "body:scale=0.1,bones=0.07,chance=0.5"
_SMALL = "anylift:depth=3,width=64,whole=0"  # which learns more in the same time
_KEPT = ("mpjpe_mm", "pa_mpjpe_mm", "mpjve_mm", "mean_pose_mpjpe_mm", "within_68", "within_95")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One row: a pipeline, and in what its training differs from the others'."""

    name: str
    spec: str = "anylift"
    preset: str = "anylift"
    views: str = "any"
    augment: str = f"{_BODY}+detected"
    mix: str = "mocap:{data},views=studio"
    mix_share: float = 0.25
    batch: int = 256
    frames: int = 1
    poses: int = 76_800  # that it sees
    paced: bool = False  # whether its poses a second are shown
    undone: dict[str, Any] = field(default_factory=dict)  # names in `anylift`, or in its view


def lifters() -> Iterator[Training]:
    """Every lifter, with one frame or 27."""
    sizes = BUDGETS["lifters"].sizes
    whole = f"{_BODY}+detected:missing=0,lower=0,outside=0"
    for key in ("anylift", "martinez", "semgcn", "dstformer:frames=1"):
        yield _lifter(key, sizes.get(key.partition(":")[0], ""), 1, whole)
    for key in ("anylift", "tcn", "poseformer", "mixste", "motionagformer", "dstformer"):
        yield _lifter(f"{key}:frames=27", sizes.get(key, ""), 27, whole)


def _lifter(key: str, size: str, frames: int, whole: str) -> Training:
    spec = f"{key}{',' if ':' in key else ':'}{size}" if size else key
    batch = 256 if frames == 1 else 10
    if key.startswith("anylift"):
        return Training(name=spec, spec=spec, batch=batch, frames=frames, paced=True)
    return Training(
        name=spec, spec=spec, preset="lifter", augment=whole, batch=batch, frames=frames, paced=True
    )


def choices() -> Iterator[Training]:
    """A small `anylift` without its perceptron, then with it, and with one choice undone."""
    upright = torch.eye(3)
    undone: dict[str, dict[str, Any]] = {
        "rays not turned to their mean": {
            "rotation_to_optical_axis": lambda rays: upright.expand(*rays.shape[:-1], 3, 3)
        },
        "rays not divided by their size": {"look": _unscaled(anylift.look)},
        "all errors count alike": {"_BETA": 0.0},
        "no sigma": {"_BETA": 0.0, "_WEIGHTS": anylift._WEIGHTS | {"sigma": 0.0}},
        "sigma of a Laplace density": {"_TAIL": 1.0, "_SCALE": 3.5046},
        "no distance of the root": {"_WEIGHTS": anylift._WEIGHTS | {"root": 0.0}},
    }
    changes: dict[str, dict[str, Any]] = {
        "as it is": {},
        "a perceptron that reads all places": {"spec": _SMALL.replace("whole=0", "whole=512")},
        **{name: {"undone": names} for name, names in undone.items()},
        "bodies as captured": {"augment": "detected"},
        "all bodies varied": {"augment": "body:scale=0.1,bones=0.07+detected"},
        "true joints, all 17": {
            "augment": f"{_BODY}+detected:joints=h36m17,exact=1,missing=0,lower=0,swaps=0,"
            "outside=0,guessed=0"
        },
        "no joint missing": {"augment": f"{_BODY}+detected:missing=0,lower=0,outside=0"},
        "Human3.6M's joints only": {"augment": f"{_BODY}+detected:joints=h36m17"},
        "no guessed cameras": {"augment": f"{_BODY}+detected:guessed=0"},
        "no studio among the views": {"mix": ""},
        "studio views only": {"views": "studio"},
        "a fifth of procedural people": {
            "mix_share": 0.4,
            "mix": "mocap:{data},views=studio + synthetic:image_size=0,people=1000,pictures=false",
        },
    }
    for name, changed in changes.items():
        yield Training(**{"name": name, "spec": _SMALL, "poses": 128_000, **changed})


def _unscaled(look: Callable[..., Any]) -> Callable[..., Any]:
    def seen(*args: Any) -> Any:
        view = look(*args)
        return view._replace(xy=view.xy * view.size[..., None, None])

    return seen


@click.command()
@click.argument("study", type=click.Choice(sorted(STUDIES)))
@click.option("--path", required=True, type=click.Path(exists=True), help="Motion capture.")
@click.option("--val", required=True, help="People held out.")
@click.option("--other", required=True, type=click.Path(exists=True), help="Another laboratory's.")
@click.option("--seeds", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--out", default="runs/alike", show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--poses", default=600, show_default=True, help="Of each protocol; of clips a fourth."
)
@click.option("--only", multiple=True, help="Of this row; the others stay as they were measured.")
def main(
    study: str,
    path: str,
    val: str,
    other: str,
    seeds: int,
    out: Path,
    poses: int,
    only: tuple[str, ...],
) -> None:
    """Train what is not trained yet, and write data and page after each row."""
    torch.set_num_threads(1)
    name = STUDIES[study]
    where = measure.circumstances(torch.device("cpu"))  # before files change
    rows = {row["name"]: row for row in page_blocks.load(name)["results"]} if only else {}
    trainings = {each.name: each for each in (lifters() if study == "lifters" else choices())}
    for chosen in only or trainings:
        data = {"held out": f"path={path},val={val}", "other": f"path={other}"}
        row = _measured(trainings[chosen], data, seeds, out, poses)
        rows[chosen] = row | {key: where[key] for key in ("commit", "device")}
        click.echo(f"{chosen}: {_spread(row, 'any')}")
        found = [rows[each] for each in trainings if each in rows]
        report = page_blocks.save(name, {"circumstances": where, "tested": poses, "results": found})
        page_blocks.write(PAGE, name, table(report))


def _measured(
    training: Training, data: dict[str, str], seeds: int, out: Path, poses: int
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": training.name, "poses": training.poses, "seeds": []}
    poses = poses if training.frames == 1 else poses // 4  # each takes the frames around it
    nodes = {"held out": f"mocap:{data['held out']},split=val",
             "other": f"mocap:{data['other']},split=all"}  # fmt: skip
    with _undone(training.undone):
        for seed in range(seeds):
            run = _trained(training, data["held out"], seed, out)
            found = {
                name: errors_under(run, nodes[people], find_protocol(key), poses, kept=_KEPT)
                for name, (key, people) in PROTOCOLS.items()
            }
            row["seeds"].append({name: errors for name, errors in found.items() if errors})
            if training.paced:
                row.setdefault("poses_per_s", []).append(training.frames * _pace(run))
    lifter = build_pipeline(training.spec).lifter
    row["weights"] = sum(weight.numel() for weight in lifter.parameters())
    return row


def _pace(run: Path) -> float:
    """Items a second while it was trained, the median of what was logged."""
    lines = (run / "timing.jsonl").read_text(encoding="utf-8").splitlines()
    return statistics.median(json.loads(line)["items_per_s"] for line in lines)


@contextmanager
def _undone(names: dict[str, Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for name, value in names.items():
            module = anylift if hasattr(anylift, name) else _anylift_view
            stack.enter_context(patch.object(module, name, value))
        yield


def _trained(training: Training, data: str, seed: int, out: Path) -> Path:
    changes = {
        "data.views": training.views,
        "augment": training.augment,
        "seed": str(seed),
        "steps": str(round(training.poses / training.batch / training.frames)),
        "bf16": "on",
        "batch_size": str(training.batch),
        "lr": "1.5e-3",
        "warmup": "0.1",
        "ema": "0.99",
        "grad_clip": "1",
        "eval_every": "100000",
        "eval_samples": "100",
    }
    if training.preset == "lifter":
        changes["data.scale"] = "0"
    if training.mix:
        changes |= {"mix": training.mix.format(data=data), "mix_share": str(training.mix_share)}
    kept = "".join(letter if letter.isalnum() else "-" for letter in training.name)
    run, settings, _ = plan(
        pipeline=parse_pipeline(training.spec),
        data=parse_node(f"mocap:{data}"),
        preset=training.preset,
        changes=changes,
        out=out / f"{kept}-{seed}",
        device="cpu",
    )
    if not (run.path / "eval.json").is_file():
        start(run, settings, device="cpu", resume=run.exists, draw=False)
    return run.path


def table(report: dict[str, Any]) -> list[str]:
    """What stands between the page's markers."""
    rows = report["results"]
    mean = rows[0]["seeds"][0]["any"]["mean_pose_mpjpe_mm"]
    of_clips = " (a fourth of it of clips)" if any("frames=27" in r["name"] for r in rows) else ""
    lines = [
        f"{page_blocks.where(report)} {rows[0]['poses']:,} poses each, {len(rows[0]['seeds'])} "
        f"seeds (± their standard deviation), {report['tested']} poses of each test{of_clips}; "
        f"MPJPE in mm, PA-MPJPE of `any`; the mean pose has {mean:.0f}.",
        "",
    ]
    pace = ["poses/s"] if "poses_per_s" in rows[0] else []
    last = ["PA", "MPJVE, noisy", "within sigma, noisy", "commit, processor"]
    headings = ["", "weights", *pace, *PROTOCOLS, *last]
    return lines + page_blocks.table(headings, map(_cells, rows))


def _cells(row: dict[str, Any]) -> list[str]:
    def mean(protocol: str, metric: str, digits: int) -> str:
        values = [seed.get(protocol, {}).get(metric) for seed in row["seeds"]]
        return "" if None in values else f"{statistics.mean(values):.{digits}f}"

    shares = [mean("noisy", f"within_{share}", 2) for share in (68, 95)]
    return [
        f"`{row['name']}`" if "frames=" in row["name"] else row["name"],
        f"{row['weights']:,}",
        *([f"{statistics.median(row['poses_per_s']):,.0f}"] if "poses_per_s" in row else []),
        *(_spread(row, protocol) for protocol in PROTOCOLS),
        mean("any", "pa_mpjpe_mm", 1),
        mean("noisy", "mpjve_mm", 0),
        ", ".join(filter(None, shares)),
        f"{row['commit'][:7]}, {row['device'].partition(',')[0]}",
    ]


def _spread(row: dict[str, Any], protocol: str) -> str:
    values = [seed[protocol]["mpjpe_mm"] for seed in row["seeds"] if protocol in seed]
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


if __name__ == "__main__":
    main()
