"""Has the heatmap network begun to learn, or does it answer the same flat map to everything?"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from posezoo.evaluation.open_run import open_run
from posezoo.report.trials import POSES, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Of the predicted maps over the true ones, on people never seen."""

    height: float  # of the peaks
    variation: float  # from picture to picture; near 0: one answer to everything


def measure(trial: Trial) -> Numbers:
    """Of a detector with heatmaps."""
    run = open_run(trial.run.path)
    batch = run.poses(POSES)
    with torch.inference_mode():
        maps = run.pipeline.heatmaps(batch.image).float()
    true = run.pipeline.head.encode(batch.joints2d[:, 0], maps.shape[-2:])
    return Numbers(
        height=(maps.amax((-2, -1)) / true.amax((-2, -1))).mean().item(),
        variation=(maps.std(0).mean() / true.std(0).mean()).item(),
    )
