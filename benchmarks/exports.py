"""What every entry says in other runtimes: `python -m benchmarks.exports`, 8 minutes.

Each head and lifter is trained for a few steps, so that its answers are poses, exported to both
formats and run in onnxruntime and, as torch.export brings it back, in torch (`--compiled`: in
AOTInductor too). A file may be off by what `posezoo export` allows. Writes results/exports.json and
a table of docs/export.md; `--only KEY` prints its rows and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch

from benchmarks import page_blocks
from posezoo.export import graphs_of, items_for, too_far, try_out, write
from posezoo.export.trial import ALONE, TORCH
from posezoo.inference.loading import open_pipeline
from posezoo.registry import parse_node, parse_pipeline
from posezoo.sample.write import write_sample
from posezoo.testing.body_model import write_body_model
from posezoo.training.runs import plan, start

NAME = "exports"
PAGE = page_blocks.ROOT / "docs" / "export.md"
_SMALL = "resnet18:cut=layer2,width=16"
_LIFTER = "martinez:blocks=1,width=64,input=rays"
SPECS = {
    "anylift": "anylift:frames=9,width=32,depth=2",
    "martinez": _LIFTER,
    "semgcn": "semgcn:width=32,blocks=2,input=rays",
    "tcn": "tcn:frames=9,widths=3x3,width=64",
    "poseformer": "poseformer:frames=9",
    "mixste": "mixste:frames=9,width=64,depth=2",
    "motionagformer": "motionagformer:frames=9,width=64,representation=64,depth=2",
    "dstformer": "dstformer:frames=9,width=64,representation=64,depth=2",
    "hm": f"{_SMALL}-hm:width=16,block_b=false,decode=taylor+{_LIFTER}",
    "deconv": f"{_SMALL}-deconv:layers=1,width=16+{_LIFTER}",
    "simcc": f"{_SMALL}-simcc:image_size=64x64,layers=1,width=16+{_LIFTER}",
    "integral": f"{_SMALL}-integral:layers=1,width=16+{_LIFTER}",
    "volumetric": f"{_SMALL}-volumetric:layers=1,width=16,depth=8",
    "coarse_to_fine": f"{_SMALL}-coarse_to_fine:depths=1x4x8",
    "locmap": f"{_SMALL}-locmap:layers=1,width=16",
    "direct": f"{_SMALL}-direct",
    "bones": f"{_SMALL}-bones",
    "dsnt": f"{_SMALL}-dsnt:layers=1,width=16+{_LIFTER}",
    "smpl": f"{_SMALL}-smpl:model={{model}},width=64",
}


def main() -> None:
    """Try all entries, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SPECS, default=[])
    parser.add_argument("--formats", nargs="+", default=["onnx", "pt2"])
    parser.add_argument("--steps", type=int, default=40, help="of training before")
    parser.add_argument("--compiled", action="store_true", help="by AOTInductor too")
    parser.add_argument("--tables", action="store_true", help="write the page alone")
    chosen = parser.parse_args()
    if not chosen.tables:
        torch.set_num_threads(1)
        rows = [row for key in chosen.only or SPECS for row in _tried(key, chosen)]
        if chosen.only:
            return
        page_blocks.save(NAME, {"steps": chosen.steps, "results": rows})
    report = json.loads((page_blocks.RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))
    page_blocks.write(PAGE, NAME, lines(report))


def _tried(key: str, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        spec = SPECS[key].format(model=write_body_model(folder / "body.npz"))
        pictures = "-" in spec
        changes = {"steps": str(chosen.steps), "batch_size": "8", "eval_samples": "16"}
        changes |= {"image_size": "64" if pictures else "0", "normalisation_samples": "64"}
        if "decode=taylor" in spec:
            changes["strategy.decode"] = "hard"  # the lifter learns from the head's own joints
        run, settings, _ = plan(
            pipeline=parse_pipeline(spec),
            data=parse_node("synthetic:items=400,people=20" if pictures else _motion(folder)),
            preset="none",
            changes=changes,
            out=folder / "run",
            device="cpu",
        )
        start(run, settings, device="cpu", workers=0, draw=False)
        loaded = open_pipeline(run.path)
        for format_ in chosen.formats:
            row: dict[str, Any] = {"key": key, "format": format_}
            try:
                row |= _exported(loaded, run.path, format_, compiled=chosen.compiled)
            except ValueError as error:
                row["flaw"] = str(error).replace(f"'{spec}' ", "").partition(" (")[0]
            print(row, flush=True)
            yield row


def _motion(folder: Path) -> str:
    """Invented motion capture, for lifters of clips."""
    write_sample(folder / "sample")
    return f"mocap:path={folder / 'sample' / 'poses17.h5'}"


def _exported(loaded: Any, run: Path, format_: Any, *, compiled: bool) -> dict[str, Any]:
    (graph,) = graphs_of(loaded.pipeline, crop_px=loaded.crop_px, margin=loaded.margin)
    path = run / f"it.{format_}"
    program, inputs = write(graph, path, format=format_), items_for(graph, str(run))
    with patch.object(shutil, "which", shutil.which if compiled else lambda _: None):
        trials = try_out(graph, path, format=format_, program=program, inputs=inputs, batches=(1,))
    with torch.inference_mode():
        true, other = (graph.module(*each) for each in (inputs, [_nudged(x) for x in inputs]))
    nudged = (_first(true) - _first(other)).abs().max()
    off = {each.runtime: each.largest_difference["joints3d_mm"] for each in trials}
    ms = {each.runtime: each.milliseconds[1] for each in trials}
    return {"off_mm": off, "nudged_mm": float(nudged), "ms": ms, "flaw": too_far(trials)}


def _nudged(given: torch.Tensor) -> torch.Tensor:
    """Another rounding of the same numbers."""
    return given * (1 + torch.finfo(given.dtype).eps) if given.is_floating_point() else given


def _first(given: Any) -> torch.Tensor:
    output: torch.Tensor = given[0] if isinstance(given, tuple) else given
    return output


def lines(report: dict[str, Any]) -> Iterator[str]:
    """What stands between the markers of docs/export.md."""
    yield f"{page_blocks.where(report)} {report['steps']} steps of training each."
    yield ""
    rows = []
    for row in report["results"]:
        off = dict(row.get("off_mm", {}))
        off.pop(TORCH, None)
        alone = off.pop(ALONE, None)
        said = ", ".join(f"{name} {value:.2g}" for name, value in off.items())
        moved = "" if alone is None else f"{alone:.2g}, {row['nudged_mm']:.2g}"
        rows.append((f"`{row['key']}`", row["format"], said, moved, row["flaw"] or "yes"))
    headings = ("of", "format", "off by, mm", "torch by itself, mm", "exports")
    yield from page_blocks.table(headings, rows)


if __name__ == "__main__":
    main()
