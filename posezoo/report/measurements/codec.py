"""What is left if the network were perfect: its own targets, read by its own decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from posezoo import metrics
from posezoo.evaluation.attribution import at_true_depth
from posezoo.evaluation.open_run import open_run
from posezoo.report.trials import POSES, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Mean errors on people never seen."""

    floor_px: float  # of perfect maps
    floor_mm: float  # of their joints at the true depth, root-relative: no lifter can be better
    trained_px: float  # of the trained network


def measure(trial: Trial) -> Numbers:
    """Of a detector with heatmaps."""
    run = open_run(trial.run.path)
    head, batch = run.pipeline.head, run.poses(POSES)
    true = batch.joints2d[:, 0]
    with torch.inference_mode():
        maps = run.pipeline.heatmaps(batch.image)
        perfect, _ = head.decode(head.encode(true, maps.shape[-2:]))
        found, _ = head.decode(maps)
    placed = at_true_depth(perfect[:, None], batch)
    return Numbers(
        floor_px=metrics.error_2d(perfect, true).mean().item(),
        floor_mm=metrics.mpjpe(placed, batch.joints3d).mean().item(),
        trained_px=metrics.error_2d(found.float(), true).mean().item(),
    )
