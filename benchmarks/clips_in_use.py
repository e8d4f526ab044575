"""What 27 frames are worth, over frames alone and over a filter, with a detector's errors.

    python -m benchmarks.clips_in_use ALONE CLIPS --data 10=mocap:path=...,val=...,split=val

ALONE and CLIPS are runs of `anylift` with one frame and with 27. Each `--data` is poses a second
and a dataset. Every window of 27 frames is lifted by both, as it is and filtered as `posezoo
predict --smooth` does; what counts is its middle frame, and how that moves from the frame before.
Writes results/clips_in_use.json and a table of docs/lifting.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import page_blocks
from benchmarks.lifters_in_use import PAGE
from posezoo.data.loading import ordered_batches
from posezoo.evaluation.open_run import open_run
from posezoo.evaluation.protocol import find_protocol
from posezoo.inference.smoothing import Filter, smooth

NAME = "clips_in_use"
FILTERS: dict[str, Filter | None] = {"as lifted": None, "one-euro": "one-euro", "savgol": "savgol"}
_PROTOCOL = find_protocol("any-camera-noisy")

Floats = NDArray[np.float64]


@click.command()
@click.argument("alone", type=click.Path(exists=True, path_type=Path))
@click.argument("clips", type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, multiple=True, metavar="FPS=NODE")
@click.option("--poses", default=400, show_default=True, help="Of each dataset, about.")
def main(alone: Path, clips: Path, data: tuple[str, ...], poses: int) -> None:
    """Measure both on each dataset."""
    torch.set_num_threads(1)
    rows = [row for each in data for row in _measured(alone, clips, each, poses)]
    page_blocks.write(PAGE, NAME, table(page_blocks.save(NAME, {"results": rows})))


def _measured(alone: Path, clips: Path, data: str, poses: int) -> Iterator[dict[str, Any]]:
    rate, _, node = data.partition("=")
    opened = open_run(clips, data=node, protocol=_PROTOCOL)
    lifters = {
        "frames alone": open_run(alone, data=node, protocol=_PROTOCOL).pipeline.lifter,
        f"{opened.pipeline.lifter.frames} frames": opened.pipeline.lifter,
    }
    step = max(1, len(opened.dataset) // poses)
    batches = [*ordered_batches(opened.dataset, indices=range(0, len(opened.dataset), step),
                                batch_size=50)]  # fmt: skip
    true = np.concatenate([batch.joints3d.double().numpy() for batch in batches])
    times = np.arange(true.shape[1]) / float(rate)
    for name, lifter in lifters.items():
        with torch.inference_mode():
            parts = [
                lifter.lift_window(b.joints2d, b.camera, b.confidence).double().numpy()
                for b in batches
            ]
        found = np.concatenate(parts)
        for filter_, how in FILTERS.items():
            points = found if how is None else np.stack([smooth(p, times, how) for p in found])
            row = {"fps": float(rate), "lifter": name, "filter": filter_, "windows": len(true)}
            row |= {"moves_mm": _moved(true, 0 * true), **_errors(points, true)}
            print(row, flush=True)
            yield row


def _errors(points: Floats, true: Floats) -> dict[str, float]:  # (N, T, 17, 3) mm
    middle = points.shape[1] // 2
    distance = np.linalg.norm(points[:, middle] - true[:, middle], axis=-1)
    return {"mpjpe_mm": float(distance.mean()), "mpjve_mm": _moved(points, true)}


def _moved(points: Floats, true: Floats) -> float:
    """How far the middle frame's movement is off, mm a frame."""
    middle = points.shape[1] // 2
    error = (points - true)[:, middle] - (points - true)[:, middle - 1]
    return float(np.linalg.norm(error, axis=-1).mean())


def table(report: dict[str, Any]) -> Iterator[str]:
    """What stands between the page's markers."""
    yield f"{page_blocks.where(report)} MPJPE / MPJVE, mm and mm a frame."
    yield ""
    groups: dict[tuple[float, str], dict[str, dict[str, Any]]] = {}
    for row in report["results"]:
        groups.setdefault((row["fps"], row["lifter"]), {})[row["filter"]] = row
    rows = []
    for (rate, lifter), found in groups.items():
        one = found["as lifted"]
        cells = [f"{row['mpjpe_mm']:.1f} / {row['mpjve_mm']:.1f}" for row in found.values()]
        rows.append((f"{rate:g}", f"{one['windows']:,}", f"{one['moves_mm']:.0f}", lifter, *cells))
    headings = ("frames a second", "windows", "people move, mm a frame", "", *FILTERS)
    yield from page_blocks.table(headings, rows)


if __name__ == "__main__":
    main()
