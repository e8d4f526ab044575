"""How the joints that the lifter meets at test time differ from those it was trained on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from posezoo import metrics
from posezoo.evaluation.open_run import OpenRun, open_run
from posezoo.report.trials import POSES, Trial

MISSED = 0.5  # a joint is missed if it lies further off than so many sizes of the person


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Of one group of people."""

    px: float
    missed: float  # share of the joints
    mpjpe_mm: float
    on_true_mm: float  # MPJPE from true 2D joints


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """On people trained on and on others, and how steady the training was."""

    seen: Errors
    unseen: Errors
    largest_rise_mm: float  # of the MPJPE between two evaluations of the training


def measure(trial: Trial) -> Numbers:
    """Of a whole pipeline."""
    errors = [r["val"]["mpjpe_mm"] for r in trial.records() if "val" in r]
    rises = (later - earlier for earlier, later in itertools.pairwise(errors))
    return Numbers(
        seen=_errors(open_run(trial.run.path, data=trial.seen_data)),
        unseen=_errors(open_run(trial.run.path)),
        largest_rise_mm=max(0.0, *rises) if len(errors) > 1 else 0.0,
    )


def _errors(run: OpenRun) -> Errors:
    batch = run.poses(POSES)
    with torch.inference_mode():
        result = run.pipeline.predict(batch)
        on_true = run.pipeline.lift(batch.known2d, batch.camera)
    assert result.joints2d is not None and result.joints3d is not None
    error = metrics.error_2d(result.joints2d, batch.joints2d)
    return Errors(
        px=error.mean().item(),
        missed=(error > MISSED * _size(batch.joints2d)).float().mean().item(),
        mpjpe_mm=metrics.mpjpe(result.joints3d, batch.joints3d).mean().item(),
        on_true_mm=metrics.mpjpe(on_true, batch.joints3d).mean().item(),
    )


def _size(joints2d: Tensor) -> Tensor:  # (B, T, J, 2) px -> (B, T, 1) px
    """How far a person's joints lie from their middle, as a root mean square."""
    centre = joints2d.mean(-2, keepdim=True)
    return (joints2d - centre).square().sum(-1).mean(-1, keepdim=True).sqrt()
