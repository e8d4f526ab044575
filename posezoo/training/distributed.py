"""A stage's losses where several ranks share each batch: torch's DistributedDataParallel.

Each rank computes the losses of its share of the step's items (`posezoo.losses` divides by what
counts on all of them), and torch makes the gradients their mean, which is the whole batch's. What
ranks draw at random in a step, dropout for one, is drawn apart, so it is not what one process would
draw. Alone, nothing of this happens.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from posezoo.contracts import Batch, Stage
from posezoo.pipeline import Pipeline
from posezoo.ranks import Ranks
from posezoo.settings import Settings

StageLosses = Callable[[Batch, float], dict[str, Tensor]]  # as those of a `Stage`, of its pipeline

_FEWEST = 2  # items a rank: batch norm has no variance of one


def stage_losses(pipeline: Pipeline, stage: Stage, ranks: Ranks) -> StageLosses:
    """The losses of a stage, whose gradients are the mean of all ranks'."""
    losses = _Losses(pipeline, stage)
    if ranks.size == 1:
        return losses
    # A part may have weights that a stage's losses do not reach.
    return DistributedDataParallel(losses, find_unused_parameters=True)


def require_shares(settings: Settings, ranks: Ranks) -> None:
    """See that a batch has enough items for all.

    Raises:
        ValueError: it has not.
    """
    if ranks.size > 1 and settings.batch_size < _FEWEST * ranks.size:
        raise ValueError(
            f"batch_size={settings.batch_size} for {ranks.size} processes: expected at least "
            f"{_FEWEST} items each. Type --batch-size {_FEWEST * ranks.size}, or start fewer"
        )


def describe_ranks(pipeline: Pipeline, settings: Settings, ranks: Ranks, device: str) -> str:
    """What differs from a run in one process, in a sentence; "" if it is one."""
    if ranks.size == 1:
        return ""
    has_norm = any("BatchNorm" in type(each).__name__ for each in pipeline.modules())
    norm = {"local": "each by its own items", "sync": "by the whole batch"}[settings.batch_norm]
    engine = "nccl" if device == "cuda" else "gloo"
    return (
        f"{ranks.size} processes on {device} ({engine}) share each batch of "
        f"{settings.batch_size}" + f"; batch norm {settings.batch_norm}, {norm}" * has_norm
    )


class _Losses(nn.Module):
    """As a module, for torch to wrap."""

    def __init__(self, pipeline: Pipeline, stage: Stage) -> None:
        super().__init__()
        self.pipeline, self.stage = pipeline, stage

    def forward(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        return self.stage.losses(self.pipeline, batch, progress)
