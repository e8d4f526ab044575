"""What 27 frames are worth, over frames alone and over a filter, with a detector's errors.

    python -m benchmarks.clips_in_use RUN --data 10=mocap:path=...,val=...,split=val

RUN is one of `anylift:frames=27`. Each `--data` is poses a second and a dataset. Every window of 27
frames is lifted frame by frame and as a clip, as it is and filtered as `posezoo predict --smooth`
does; what counts is its middle frame, and how that moves from the frame before. Writes
results/clips_in_use.json and a table of docs/lifting.md.
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
from posezoo.contracts import Batch
from posezoo.data.loading import ordered_batches
from posezoo.evaluation.open_run import open_run
from posezoo.evaluation.protocol import find_protocol
from posezoo.inference.smoothing import Filter, smooth
from posezoo.pipeline import Pipeline

NAME = "clips_in_use"
FILTERS: dict[str, Filter | None] = {"as lifted": None, "one-euro": "one-euro", "savgol": "savgol"}
PROTOCOLS = ("any-camera", "any-camera-noisy")

Floats = NDArray[np.float64]


@click.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, multiple=True, metavar="FPS=NODE")
@click.option("--poses", default=400, show_default=True, help="Of each dataset, about.")
def main(run: Path, data: tuple[str, ...], poses: int) -> None:
    """Measure frames alone and clips on each dataset, with true and with noisy joints."""
    torch.set_num_threads(1)
    rows = [
        row for each in data for key in PROTOCOLS for row in _measured(run, each, key, poses)
    ]  # fmt: skip
    page_blocks.write(PAGE, NAME, table(page_blocks.save(NAME, {"results": rows})))


def _measured(run: Path, data: str, key: str, poses: int) -> Iterator[dict[str, Any]]:
    rate, _, node = data.partition("=")
    opened = open_run(run, data=node, protocol=find_protocol(key))
    step = max(1, len(opened.dataset) // poses)
    batches = [*ordered_batches(opened.dataset, indices=range(0, len(opened.dataset), step),
                                batch_size=50)]  # fmt: skip
    true = np.concatenate([batch.joints3d.double().numpy() for batch in batches])
    times = np.arange(true.shape[1]) / float(rate)
    for frames in (1, opened.pipeline.lifter.frames):
        found = np.concatenate([_lifted(opened.pipeline, batch, frames) for batch in batches])
        for filter_, how in FILTERS.items():
            points = found if how is None else np.stack([smooth(p, times, how) for p in found])
            row = {"fps": float(rate), "protocol": key, "frames": frames, "filter": filter_}
            row |= {"windows": len(true), "moves_mm": _moved(true, 0 * true)}
            row |= _errors(points, true)
            print(row, flush=True)
            yield row


@torch.inference_mode()
def _lifted(pipeline: Pipeline, batch: Batch, frames: int) -> Floats:  # (N, T, 17, 3) mm
    """All frames of a batch of clips, looked at so many at a time."""
    joints2d, sure = batch.known2d, batch.confidence
    parts = [
        pipeline.lifted_window(
            joints2d[:, seen], batch.camera, None if sure is None else sure[:, seen]
        )
        for first in range(0, joints2d.shape[1], frames)
        for seen in [slice(first, first + frames)]
    ]
    return np.concatenate([part.joints3d.double().numpy() for part in parts], 1)


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
    groups: dict[tuple[float, str, int], dict[str, dict[str, Any]]] = {}
    for row in report["results"]:
        group = groups.setdefault((row["fps"], row["protocol"], row["frames"]), {})
        group[row["filter"]] = row
    rows = []
    for (rate, protocol, frames), found in groups.items():
        one = found["as lifted"]
        moves, lifted = f"{one['moves_mm']:.0f}", "alone" if frames == 1 else f"{frames}"
        cells = [f"{row['mpjpe_mm']:.1f} / {row['mpjve_mm']:.1f}" for row in found.values()]
        rows.append((f"{rate:g}", f"{one['windows']:,}", moves, f"`{protocol}`", lifted, *cells))
    headings = ("frames a second", "windows", "people move, mm a frame", "", "frames", *FILTERS)
    yield from page_blocks.table(headings, rows)


if __name__ == "__main__":
    main()
