"""`python -m benchmarks.kernels_page`: the tables of docs/kernels.md from saved runs.

`posezoo bench --compiled --json benchmarks/results/cpu.json` and `posezoo bench codec --json
benchmarks/results/codec.json` make the runs; this shows them, so that no figure of the page is
copied by hand. `--static` first compiles every kernel with every option for results/static.json,
which takes minutes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from benchmarks import measure, tables
from benchmarks.groups import static_columns
from benchmarks.rows import Row

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "kernels.md"
_OURS, _COMPILED = "posezoo torch", "torch.compile"


def main() -> None:
    """Write the tables into the page."""
    if "--static" in sys.argv:
        save_static(static_columns(thorough=True))
    names = ("cpu.json", "codec.json", "static.json")
    run, codec, static = (json.loads((RESULTS / name).read_text()) for name in names)
    page = PAGE.read_text(encoding="utf-8")
    blocks = {"cpu": _cpu(run), "codec": _codec(codec), "static": _static(static)}
    for name, lines in blocks.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        before, _, rest = page.partition(begin)
        page = before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2]
    PAGE.write_text(page, encoding="utf-8")


def save_static(reports: list[dict[str, Any]]) -> None:
    """What was compiled, and with what, one line each."""
    where = json.dumps(measure.circumstances(torch.device("cpu")))
    lines = ",\n".join(map(json.dumps, reports))
    text = f'{{"circumstances": {where},\n"static": [\n{lines}\n]}}\n'
    (RESULTS / "static.json").write_text(text, encoding="utf-8")


def _cpu(run: dict[str, Any]) -> Iterable[str]:
    """One line for each formulation that is not ours: its time, ours, and the ratios."""
    where = run["circumstances"]
    yield (
        f"{where['device']}, load {where['load_average']:.1f}, torch {where['torch']}, numpy "
        f"{where['numpy']}, {_commit(where)}, {where['date'][:10]}."
    )
    yield ""
    yield "| operation | size | other formulation | ms | ours | compiled | x ours | x compiled |"
    yield "|---|---|---|---|---|---|---|---|"
    groups: dict[tuple[str, ...], dict[str, float]] = {}
    for row in run["results"]:
        if row["group"] == "kernels" and "best_ms" in row:
            both = {"both": ", both ways", "forward": ""}[row["mode"]]
            key = row["operation"] + both, "x".join(map(str, row["shape"]))
            groups.setdefault(key, {})[row["implementation"]] = row["best_ms"]
    for key, times in groups.items():
        ours, compiled = times.pop(_OURS), times.pop(_COMPILED, None)
        for other, ms in (times or {"": None}).items():
            ratios = [_ratio(ms, ours), _ratio(ms, compiled)]
            cells = [*key, other, _number(ms), _number(ours), _number(compiled), *ratios]
            yield "| " + " | ".join(cells) + " |"


def _codec(run: dict[str, Any]) -> Iterable[str]:
    """What each decoder leaves of perfect maps, in px and mm."""
    where = run["circumstances"]
    yield f"torch {where['torch']}, {_commit(where)}, {where['date'][:10]}."
    yield ""
    rows = [Row(**row) for row in run["results"] if "setting" in row]
    headings = tables.codec_headings(rows)
    for cells in (headings, ["---"] * len(headings), *tables.codec_cells(rows)):
        yield "| " + " | ".join(cells) + " |"


def _number(ms: float | None) -> str:
    return "" if ms is None else f"{ms:.3g}"


def _ratio(ms: float | None, ours: float | None) -> str:
    if ms is None or ours is None:
        return ""
    return f"{ms / ours:.2g}" if ms > ours else f"**{ms / ours:.2g}**"


def _commit(where: dict[str, Any]) -> str:
    """The commit; figures of a tree with changes of its own are marked."""
    commit, dirty, _ = where["commit"].partition("-dirty")
    return f"commit {commit}" + (" with uncommitted changes (to be measured again)" * bool(dirty))


def _static(run: dict[str, Any]) -> Iterable[str]:
    """Of all that was compiled of a kernel: registers, spills; instructions against bytes."""
    where, reports = run["circumstances"], run["static"]
    spills = sum(each["spill_bytes"] > 0 for each in reports)
    head = f"{_commit(where)}, {where['date'][:10]}"
    yield f"{head}: {len(reports)} compilations, {spills} with a spill."
    yield ""
    yield "| operation, kernel | registers, most | issue us | bytes us |"
    yield "|---|---|---|---|"
    kernels: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for report in reports:
        kernels.setdefault((report["operation"], report["kernel"]), []).append(report)
    for (operation, kernel), found in kernels.items():
        shown = next(
            (r for r in found if r["issue_us"] and r["dtype"] == "float32" and r["bytes_us"]), None
        )
        times = [f"{shown['issue_us']:.1f}", f"{shown['bytes_us']:.1f}"] if shown else ["", ""]
        most = max(r["registers"] for r in found)
        yield f"| {operation}, `{kernel}` | {most} | {' | '.join(times)} |"


if __name__ == "__main__":
    main()
