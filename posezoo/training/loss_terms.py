"""What each term of a loss really weighs: its value, and the gradient that it sends where."""

from __future__ import annotations

import copy

import torch

from posezoo.contracts import Batch, Stage
from posezoo.pipeline import Pipeline


def describe_losses(pipeline: Pipeline, stage: Stage, batch: Batch) -> list[str]:
    """One line per loss term: value, share of the sum, gradient norm at each part that learns.

    Works on a copy and leaves random numbers as they were: a run is the same with or without it.
    """
    pipeline = copy.deepcopy(pipeline).train()
    parts = {name: list(getattr(pipeline, name).parameters()) for name in stage.trains}
    devices = [batch.joints2d.device] if batch.joints2d.is_cuda else []
    with torch.random.fork_rng(devices=devices):
        terms = stage.losses(pipeline, batch, 0.0)
    total = sum(term.item() for term in terms.values())
    lines = []
    for name, term in terms.items():
        norms = [f"{part} {_gradient_norm(term, own):.3g}" for part, own in parts.items()]
        share = term.item() / total if total else 0.0
        lines.append(
            f"loss {name}: {term.item():.4g} ({share:.0%} of the sum), gradient norm at "
            + ", ".join(norms)
        )
    return lines


def _gradient_norm(term: torch.Tensor, parameters: list[torch.nn.Parameter]) -> float:
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    squares = [g.double().square().sum() for g in gradients if g is not None]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0
