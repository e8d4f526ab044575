"""What each term of a loss really weighs: its value, and the gradient that it sends where."""

from __future__ import annotations

import copy

import torch

from posezoo.contracts import Batch, Stage
from posezoo.pipeline import Pipeline
from posezoo.ranks import here


def describe_losses(pipeline: Pipeline, stage: Stage, batch: Batch) -> list[str]:
    """One line per loss term: value, share of the sum, gradient norm at each part that learns.

    Works on a copy and leaves random numbers as they were: a run is the same with or without it.
    """
    pipeline = copy.deepcopy(pipeline).train()
    parts = {name: list(getattr(pipeline, name).parameters()) for name in stage.trains}
    devices = [batch.joints2d.device] if batch.joints2d.is_cuda else []
    with torch.random.fork_rng(devices=devices):
        terms = stage.losses(pipeline, batch, 0.0)
    values = {name: here().mean(term.detach()).item() for name, term in terms.items()}
    total = sum(values.values())
    lines = []
    for name, term in terms.items():
        norms = [f"{part} {_gradient_norm(term, own):.3g}" for part, own in parts.items()]
        share = values[name] / total if total else 0.0
        lines.append(
            f"loss {name}: {values[name]:.4g} ({share:.0%} of the sum), gradient norm at "
            + ", ".join(norms)
        )
    return lines


def _gradient_norm(term: torch.Tensor, parameters: list[torch.nn.Parameter]) -> float:
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    own = [g.flatten().double() for g in gradients if g is not None]
    return float(here().mean(torch.cat(own)).norm()) if own else 0.0
