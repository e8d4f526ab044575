"""Lifters where people use them: any camera, noisy and missing joints, other people's joint sets.

    python -m benchmarks.lifters_in_use RUN... --data mocap:path=cmu,val=... --other mocap:path=...

evaluates trained lifters (folders of runs) under the protocols of virtual cameras, on people held
out (`--data`) and on another laboratory's (`--other`), and writes
benchmarks/results/lifters_in_use.json and the tables of docs/lifting.md: errors by protocol, the
curve over missing joints, and whether the claimed sigma is honest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks import measure
from posezoo.data.loading import ordered_batches
from posezoo.evaluation.evaluate import evaluate
from posezoo.evaluation.open_run import OpenRun, open_run
from posezoo.evaluation.protocol import Protocol, find_protocol

ROOT = Path(__file__).parents[1]
PAGE, RESULTS = ROOT / "docs" / "lifting.md", ROOT / "benchmarks/results/lifters_in_use.json"
BEGIN, END = "<!-- lifters-in-use:begin -->\n", "<!-- lifters-in-use:end -->"
PROTOCOLS = (
    *("studio", "any-camera", "any-camera-guessed", "any-camera-noisy", "any-camera-coco17"),
    "any-camera-lower-half-missing",
)
MOST_LOST = 8
_NOTHING = "exact=1,missing=0,lower=0,swaps=0,outside=0,guessed=0"
_CPU = torch.device("cpu")
_KEPT = ("mpjpe_mm", "pa_mpjpe_mm", "mean_pose_mpjpe_mm", "mpjve_mm", "within_68", "within_95",
         "root_mm")  # fmt: skip


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, help="People held out, as a dataset node.")
@click.option("--other", required=True, help="Another laboratory's people.")
@click.option("--poses", default=3000, show_default=True, help="Of each, at most.")
def main(runs: tuple[Path, ...], data: str, other: str, poses: int) -> None:
    """Evaluate RUNS and write data and page."""
    torch.set_num_threads(1)
    rows = []
    for run in runs:
        for node, split in ((data, "val"), (other, "all")):
            rows.append(_measured(run, f"{node},split={split}", poses))
            click.echo(json.dumps(rows[-1], indent=1))
    report = {"circumstances": measure.circumstances(_CPU), "results": rows}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + tables(report) + END + rest.partition(END)[2], "utf-8")


def _measured(run: Path, data: str, poses: int) -> dict[str, Any]:
    """Everything about one run on the people of one laboratory."""
    found = {key: errors_under(run, data, find_protocol(key), poses) for key in PROTOCOLS}
    settings = open_run(run, data=data).settings
    row: dict[str, Any] = {
        "pipeline": settings.pipeline,
        "steps": settings.steps,
        "batch_size": settings.batch_size,
        "trained_on": _named(settings.data),
        "data": _named(data),
        "protocols": {key: errors for key, errors in found.items() if errors},
    }
    row["lost"] = [
        errors["mpjpe_mm"]
        for lost in range(MOST_LOST + 1)
        if (errors := errors_under(run, data, _lost(lost), poses))
    ]
    row["worst_tenth"] = _worst_tenth(run, data, poses)
    return row


def _named(node: str) -> str:
    """The data without the folders that they lie in."""
    return re.sub(r"path=[^,]*/", "path=", node)


def errors_under(
    run: Path, data: str, protocol: Protocol, poses: int, *, kept: Sequence[str] = _KEPT
) -> dict[str, float] | None:
    """The errors under a protocol; None of a lifter that cannot be told such joints."""
    try:
        opened = open_run(run, data=data, with_lead=True, protocol=protocol)
    except ValueError as error:
        click.echo(f"{run}, {protocol.key}: {error}", err=True)
        return None
    with torch.random.fork_rng():
        found = evaluate(
            opened.pipeline, opened.dataset, protocol, data=data, batch_size=256, device=_CPU,
            max_samples=poses, lead=opened.lead,
        )  # fmt: skip
    return {name: found.total[name] for name in kept if name in found.total} | {
        "poses": found.samples
    }


def _lost(count: int) -> Protocol:
    """As any-camera, without so many joints of each pose."""
    return Protocol(
        key=f"any-camera-{count}-missing", summary="", views="any",
        augment=f"detected:joints=h36m17,lost={count},{_NOTHING}",
    )  # fmt: skip


def _worst_tenth(run: Path, data: str, poses: int) -> dict[str, float] | None:
    """How much of all noisy poses' error lies in the tenth of joints with the largest sigma.

    Of its squares too; and how much lies in the tenth with the largest error, the most there is.
    """
    opened = open_run(run, data=data, protocol=find_protocol("any-camera-noisy"))
    errors, sigmas = zip(*_claims(opened, poses), strict=True)
    if sigmas[0] is None:
        return None
    error, sigma = torch.cat(errors).flatten(), torch.cat(sigmas).flatten()
    worst = sigma.argsort(descending=True)[: len(sigma) // 10]
    most = error.sort(descending=True).values[: len(worst)]
    return {
        "share": float(error[worst].sum() / error.sum()),
        "most": float(most.sum() / error.sum()),
        "squares": float(error[worst].square().sum() / error.square().sum()),
    }


def _claims(opened: OpenRun, poses: int) -> Iterable[tuple[torch.Tensor, torch.Tensor | None]]:
    """Errors and sigmas of all joints but the root, (N, 16) mm."""
    size = len(opened.dataset)
    indices = range(0, size, max(1, size // poses))
    for batch in ordered_batches(opened.dataset, indices=indices, batch_size=256):
        with torch.inference_mode():
            result = opened.pipeline.predict(batch)
        truth = opened.pipeline.predicted_frames(batch)
        error = (result.joints3d - truth.joints3d).norm(dim=-1)[..., 1:]
        yield error, None if result.sigma_mm is None else result.sigma_mm[..., 1:]


def tables(report: dict[str, Any]) -> str:
    """What stands between the page's markers."""
    where, rows = report["circumstances"], report["results"]
    lines = [
        f"{where['date'][:10]}, commit {where['commit']}, {where['device']}, "
        f"torch {where['torch']}. "
        "MPJPE / PA-MPJPE, mm; in brackets the shares of errors within what 68 % and 95 % should "
        "be within.",
        "",
        f"| lifter, people | {' | '.join(f'`{key}`' for key in PROTOCOLS)} | mean pose |",
        f"|---|{'--:|' * (len(PROTOCOLS) + 1)}",
    ]
    for row in rows:
        cells = [_cell(row["protocols"].get(key)) for key in PROTOCOLS]
        mean = row["protocols"]["any-camera"]["mean_pose_mpjpe_mm"]
        lines.append(f"| {_name(row)} | {' | '.join(cells)} | {mean:.0f} |")
    numbers = range(MOST_LOST + 1)
    lines += [
        "",
        "MPJPE with so many of 17 joints missing, any camera, true 2D; and the share of the noisy "
        "error in the tenth of the joints with the largest sigma (of the most that any tenth has), "
        "and of the errors' squares:",
        "",
        f"| lifter, people | {' | '.join(str(n) for n in numbers)} | worst tenth |",
        f"|---|{'--:|' * (len(numbers) + 1)}",
    ]
    for row in rows:
        cells = [f"{value:.1f}" for value in row["lost"]]
        cells += [""] * (len(numbers) - len(cells))
        tenth = row["worst_tenth"]
        worst = tenth and "{share:.2f} of {most:.2f}, {squares:.2f}".format(**tenth)
        lines.append(f"| {_name(row)} | {' | '.join(cells)} | {worst or ''} |")
    return "\n".join([*lines, "", ""])


def _name(row: dict[str, Any]) -> str:
    people = "another laboratory's" if row["data"].endswith("split=all") else "held out"
    return f"`{row['pipeline']}`, {people}"


def _cell(errors: dict[str, float] | None) -> str:
    if not errors:
        return ""
    text = f"{errors['mpjpe_mm']:.1f} / {errors['pa_mpjpe_mm']:.1f}"
    if "within_68" in errors:
        text += f" ({errors['within_68']:.2f}, {errors['within_95']:.2f})"
    return text


if __name__ == "__main__":
    main()
