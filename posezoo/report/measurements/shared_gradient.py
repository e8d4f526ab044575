"""What reaches the backbone of the 3D loss, and what the lifter does with true joints."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from posezoo import metrics
from posezoo.assembly import build_strategy
from posezoo.contracts import Batch
from posezoo.evaluation.open_run import open_run
from posezoo.pipeline import Pipeline
from posezoo.report.trials import POSES, Trial

_ITEMS = 64  # that the gradients are of


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """On people never seen."""

    ratio: float | None  # of the 3D loss's gradient at the backbone over the weighted 2D loss's
    cosine: float | None  # between them; None of both where the 3D loss does not reach it
    px: float  # 2D error
    mpjpe_mm: float  # from predicted 2D joints
    on_true_mm: float  # MPJPE from true 2D joints


def measure(trial: Trial) -> Numbers:
    """Of a whole pipeline, by the losses of its strategy's last stage."""
    run = open_run(trial.run.path)
    batch = run.poses(POSES)
    with torch.inference_mode():
        result = run.pipeline.predict(batch)
        on_true = run.pipeline.lift(batch.known2d, batch.camera)
    assert result.joints2d is not None and result.joints3d is not None
    gradients = _gradients(trial, run.pipeline, batch.items(torch.arange(min(_ITEMS, len(batch)))))
    ratio = cosine = None
    if gradients is not None:
        in_2d, in_3d = gradients
        ratio = (in_3d.norm() / in_2d.norm()).item()
        cosine = torch.cosine_similarity(in_2d, in_3d, dim=0).item()
    return Numbers(
        ratio=ratio,
        cosine=cosine,
        px=metrics.error_2d(result.joints2d, batch.joints2d).mean().item(),
        mpjpe_mm=metrics.mpjpe(result.joints3d, batch.joints3d).mean().item(),
        on_true_mm=metrics.mpjpe(on_true, batch.joints3d).mean().item(),
    )


def _gradients(trial: Trial, pipeline: Pipeline, batch: Batch) -> tuple[Tensor, Tensor] | None:
    """Of the 2D and the 3D loss at all weights of the backbone; None if not both reach it."""
    stage = build_strategy(trial.settings.strategy).stages(pipeline)[-1]
    weights = list(pipeline.requires_grad_(True).backbone.parameters())
    terms = stage.losses(pipeline, batch, 0.0)
    if terms.keys() != {"2d", "3d"} or not all(term.requires_grad for term in terms.values()):
        return None
    in_2d, in_3d = (_flat_gradient(terms[name], weights) for name in ("2d", "3d"))
    return (in_2d, in_3d) if in_3d.any() else None


def _flat_gradient(loss: Tensor, weights: list[Tensor]) -> Tensor:
    found = torch.autograd.grad(
        loss, weights, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([gradient.flatten() for gradient in found])
