"""Items on which an exported file is tried and calibrated: like those that it will be given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from posezoo.assembly import build_dataset
from posezoo.contracts import Batch
from posezoo.data.loading import ordered_batches
from posezoo.evaluation.open_run import open_run
from posezoo.export.graphs import Graph

_COUNT = 32
_LIFTER_PX = 1000  # of the picture that invented people stand in, for a lifter without data


def items_for(graph: Graph, what: str) -> list[Tensor]:
    """Inputs of some people: of a run's own val split, else invented ones; of a detector noise.

    Raises:
        ValueError: the run's data cannot be read.
    """
    if graph.facts["kind"] == "network":
        generator = torch.Generator().manual_seed(0)
        return [torch.rand(each.shape, generator=generator) for each in graph.inputs.values()]
    if graph.facts.get("joint_set_2d", graph.facts["joint_set"]) != graph.facts["joint_set"]:
        return [*graph.inputs.values()]  # no data has joints of the one set and of the other
    if Path(what).is_dir():
        batch = open_run(Path(what)).poses(_COUNT)
    else:
        batch = _invented(graph)
    known = {
        "picture": batch.image,
        "joints2d_px": batch.joints2d,
        "camera": batch.camera.parameters.float(),
        "confidence": torch.ones(batch.joints2d.shape[:-1]),
    }
    given = [known[name] for name in graph.inputs]
    return [each for each in given if each is not None]


def _invented(graph: Graph) -> Batch:
    frames = int(graph.facts.get("frames", 1))
    size = int(graph.facts.get("image_px", 0))
    data = build_dataset(
        f"synthetic:items={_COUNT},people=8",
        split="val",
        image_size=size or _LIFTER_PX,
        pictures=bool(size),
        seed=0,
    )
    (batch,) = ordered_batches(data, indices=range(_COUNT), batch_size=_COUNT)
    still = batch.joints2d.expand(-1, frames, -1, -1).contiguous()  # people who stand still
    return replace(batch, joints2d=still)
