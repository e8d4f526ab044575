"""The zoo in numbers: `python -m benchmarks.zoo` measures every entry and writes docs/zoo.md.

With `--tables` nothing is measured: the table there and the README's get a line for every entry
that there is today, with blanks for what nobody has measured.

Weights and FLOPs are the code's own, counted on the meta device, where a network has shapes and no
memory; a test counts them again. Time and the result of `posezoo check` are of one run, with what
it ran on.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks import measure
from posezoo import registry
from posezoo.camera import Camera
from posezoo.cli.card import code_card
from posezoo.evaluation.operations import PICTURE_PX, count_entry
from posezoo.pipeline import lifter_inputs
from posezoo.registry import Entry, NodeSpec, SpecError
from posezoo.skeleton import H36M17

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "zoo.json"
CARDS = ROOT / "benchmarks" / "results" / "cards.json"  # what posezoo info shows at once
PAGE = ROOT / "docs" / "zoo.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- zoo:begin -->\n", "<!-- zoo:end -->"
_RUNS = 7
_HEADINGS = ("kind", "key", "weights", "FLOPs", "ms", "checks")

Network = tuple[torch.nn.Module, tuple[Any, ...]]  # and what its forward takes


@click.command()
@click.option("--tables", "only_tables", is_flag=True, help="Measure nothing; write the tables.")
def main(only_tables: bool) -> None:
    """Measure everything anew, on one thread, and write data and tables."""
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(card)}" for key, card in cards().items())
    CARDS.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    if not only_tables:
        RESULTS.write_text(json.dumps(_measured(), indent=1) + "\n", encoding="utf-8")
    report = json.loads(RESULTS.read_text(encoding="utf-8"))
    _between_markers(PAGE, table(report, [entry.key for entry in built_ins()]))
    _between_markers(README, readme_table())


def _measured() -> dict[str, Any]:
    torch.set_num_threads(1)
    entries = built_ins()
    static = {entry.key: static_columns(entry) for entry in entries}
    ways = {entry.key: way for entry in entries if (way := _way(entry))}
    with torch.no_grad():
        times = {key: _median_ms(way) for key, way in ways.items()}
    rows = [
        {
            "kind": entry.kind,
            "key": entry.key,
            **static[entry.key],
            "ms": times.get(entry.key),
            "checks": _checks(entry),
        }
        for entry in entries
    ]
    return {"circumstances": measure.circumstances(torch.device("cpu")), "results": rows}


def _between_markers(page: Path, text: str) -> None:
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(before + BEGIN + text + END + rest.partition(END)[2], encoding="utf-8")


def built_ins() -> list[Entry]:
    """The entries of the zoo's own manifest."""
    return [entry for entry in registry.entries() if entry.origin == "posezoo"]


def cards() -> dict[str, dict[str, Any]]:
    """What the code says of each built-in entry with its default arguments, by key."""
    return {entry.key: code_card(entry, NodeSpec(entry.key)) for entry in built_ins()}


def static_columns(entry: Entry) -> dict[str, int | None]:
    """How many numbers the entry learns, and its FLOPs for one picture or pose."""
    count = count_entry(entry, NodeSpec(entry.key))
    return {"weights": count and count.weights, "flops": count and count.flops}


def readme_table() -> str:
    """Every entry with its summary and paper: what stands between the README's markers."""
    rows = [f"| {e.kind} | `{e.key}` | {e.summary} | {e.paper or ''} |" for e in built_ins()]
    return "\n".join(["| kind | key | what | paper |", "|---|---|---|---|", *rows, ""])


def table(
    report: dict[str, Any],
    keys: list[str],  # of the lines
) -> str:
    """What stands between the page's markers; what has not been measured is blank."""
    measured = {row["key"]: row for row in report["results"]}
    kinds = {entry.key: entry.kind for entry in built_ins()}
    blank = {"weights": None, "flops": None, "ms": None, "checks": ""}
    where = report["circumstances"]
    lines = [
        f"Measured {where['date'][:10]} at commit {where['commit']}: {where['device']}, "
        f"one thread, torch {where['torch']}, load average {where['load_average']:.1f}.",
        "",
        f"| {' | '.join(_HEADINGS)} |",
        f"|{'---|' * 2}{'--:|' * 3}---|",
    ]
    for key in keys:
        row = measured.get(key) or {"kind": kinds.get(key, "?"), "key": key, **blank}
        ms = "" if row["ms"] is None else f"{row['ms']:.3g}"
        numbers = (_grouped(row["weights"]), _prefixed(row["flops"]), ms)
        cells = (row["kind"], f"`{row['key']}`", *numbers, row["checks"])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _backbone(entry: Entry) -> Network:
    return entry.build(), (torch.zeros(1, 3, PICTURE_PX, PICTURE_PX),)


def _head(entry: Entry) -> Network:
    """On the backbone of its manifest's example."""
    example = registry.parse_pipeline(entry.facts.get("example", f"resnet50-{entry.key}"))
    features = registry.resolve("backbone", example.backbone).build().features
    maps = tuple(
        torch.zeros(1, f.channels, PICTURE_PX // f.stride, PICTURE_PX // f.stride) for f in features
    )
    head = registry.resolve("head", str(entry.key))
    joints: dict[str, Any] = {"num_joints": H36M17.num_joints, "skeleton": H36M17}
    return head.build(features=features, **joints), (maps,)


def _lifter(entry: Entry) -> Network:
    lifter = entry.build(skeleton=H36M17)
    joints2d = torch.rand(1, lifter.frames, H36M17.num_joints, 2) * PICTURE_PX
    numbers = (300.0, 300.0, PICTURE_PX / 2, PICTURE_PX / 2, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    return lifter, lifter_inputs(lifter, joints2d, Camera(torch.tensor([numbers])))


_NETWORKS: dict[str, Callable[[Entry], Network]] = {
    "backbone": _backbone,
    "head": _head,
    "lifter": _lifter,
}


def _way(entry: Entry) -> Callable[[], Any] | None:
    """One forward of a network, or one item of a dataset; None where there is nothing to time."""
    if any(p.required for p in _own(entry)):
        return None
    if entry.kind in _NETWORKS:
        part, inputs = _NETWORKS[entry.kind](entry)
        part.eval()
        return lambda: part(*inputs)
    if entry.kind == "dataset":
        data = entry.build(split="val", image_size=PICTURE_PX, pictures=True, seed=0)
        return lambda: data[0]
    return None


def _median_ms(way: Callable[[], Any]) -> float:
    """CPU time of one run, after one to warm up: neighbours on the machine count less in it."""
    way()
    samples = []
    for _ in range(_RUNS):
        start = time.process_time()
        way()
        samples.append((time.process_time() - start) * 1e3)
    return round(statistics.median(samples), 3)


def _own(entry: Entry) -> list[registry.Parameter]:
    """The parameters that only a user can give."""
    offered = ("split", "image_size", "pictures", "seed")
    return [p for name, p in entry.parameters().items() if name not in offered]


def _checks(entry: Entry) -> str:
    """What `posezoo check` says, in few words."""
    from posezoo.testing import run_checks  # noqa: PLC0415 - the page's test does not need it

    try:
        counts = Counter(outcome.result for outcome in run_checks(entry))
    except SpecError:
        missing = [p.name for p in _own(entry) if p.required]
        return f"needs {', '.join(missing)}"
    return ", ".join(f"{counts[result]} {result}" for result in sorted(counts))


def _grouped(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _prefixed(number: int | None) -> str:
    if number is None:
        return ""
    return f"{number / 1e9:.3g} G" if number >= 1e9 else f"{number / 1e6:.3g} M"


if __name__ == "__main__":
    main()
