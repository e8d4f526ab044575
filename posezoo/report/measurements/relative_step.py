"""How far one optimiser step moves a hidden weight, in units of that weight."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posezoo.assembly import build_pipeline, build_strategy, training_data
from posezoo.data.loading import ordered_batches, training_batches
from posezoo.report.trials import Trial
from posezoo.settings import Settings
from posezoo.training.optimizer import Optimizer

WARM, STEPS = 50, 50  # steps before those that are looked at, and how many are
LAST = 10  # logged losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Of the first weight between two hidden layers of one size, as the forward pass uses it."""

    norm: float
    step: float  # how far it moves in one step, over its norm
    wobble: float  # spread of the last logged losses about a straight line, over their mean


def measure(trial: Trial) -> Numbers:
    """Of a lifter, trained anew for a few steps."""
    norm, step = weight_and_step(trial.settings)
    losses = [record["loss"] for record in trial.records() if "loss" in record][-LAST:]
    return Numbers(norm=norm, step=step, wobble=about_a_line(losses) / statistics.fmean(losses))


def about_a_line(values: list[float]) -> float:
    """Standard deviation of what is left after the best straight line; 0 of fewer than three."""
    if len(values) < 3:
        return 0.0
    slope, start = statistics.linear_regression(range(len(values)), values)
    left = [value - start - slope * place for place, value in enumerate(values)]
    return (sum(each**2 for each in left) / (len(values) - 2)) ** 0.5


def weight_and_step(settings: Settings) -> tuple[float, float]:
    """The median norm of the weight, and of its change in a step over it."""
    torch.manual_seed(settings.seed)
    pipeline = build_pipeline(settings.pipeline)
    data = training_data(
        pipeline,
        settings.data,
        mix=settings.mix,
        mix_share=settings.mix_share,
        image_size=settings.image_size,
        seed=settings.seed,
    )
    count = min(settings.normalisation_samples, len(data))
    every = range(0, len(data), max(1, len(data) // count))
    (batch,) = ordered_batches(data, indices=every, batch_size=len(every))
    pipeline.fit_normalisation(batch)
    pipeline.train()
    (stage,) = build_strategy(settings.strategy).stages(pipeline)
    optimizer = Optimizer(list(pipeline.parameters()), settings, settings.steps)
    batches = training_batches(
        data,
        batch_size=settings.batch_size,
        seed=settings.seed,
        first=0,
        last=WARM + STEPS,
        limit=0,
        workers=0,
        pin=False,
    )
    hidden = hidden_layer(pipeline.lifter)
    weights = []
    for step, loaded in enumerate(batches):
        terms = stage.losses(pipeline, loaded, step / settings.steps)
        optimizer.update(torch.stack([*terms.values()]).sum(), step)
        if step >= WARM:
            weights.append(used_weight(hidden))
    moved = torch.stack(weights).diff(dim=0).flatten(1).norm(dim=1)
    norms = torch.stack(weights).flatten(1).norm(dim=1)
    return norms.quantile(0.5).item(), (moved / norms[:-1]).quantile(0.5).item()


def hidden_layer(lifter: nn.Module) -> nn.Linear:
    """The first linear layer that gives as many numbers as it takes.

    Raises:
        ValueError: there is none.
    """
    for module in lifter.modules():
        if isinstance(module, nn.Linear) and module.in_features == module.out_features:
            return module
    raise ValueError(f"{type(lifter).__name__} has no linear layer between two of one size")


@torch.no_grad()
def used_weight(linear: nn.Linear) -> Tensor:  # (outputs, inputs)
    """The weight that the next training forward multiplies with, whatever it does to the stored."""
    product: Tensor = linear(torch.eye(linear.in_features)) - linear.bias
    return product.T
