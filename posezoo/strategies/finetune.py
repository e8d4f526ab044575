"""Some parts learn first, on frozen others; then the others thaw.

For a pretrained backbone under new parts, whose first gradients would spoil it. Both stages
minimise the multi-task loss (`_multitask_loss.py`), as far as it reaches what the stage trains.
"""

from __future__ import annotations

from torch import Tensor

from posezoo.contracts import Batch, Learner, Stage
from posezoo.limits import NotNegative, Part
from posezoo.strategies._multitask_loss import Decode, MultitaskLoss


class Finetune:
    """Two stages: `first` alone, then all parts but those that stay frozen.

    Args:
        first: the parts that learn alone, "/" between them.
        first_share: of the steps, for them alone.
        frozen: parts that never learn, "/" between them.
        lambda_2d: weight of the head's loss beside the lifter's.
        decode: how the head's joints reach the lifter, see `posezoo.strategies._multitask_loss`.
    """

    def __init__(
        self,
        *,
        first: str = "head/lifter",
        first_share: Part = 0.3,
        frozen: str = "",
        lambda_2d: NotNegative = 0.01,
        decode: Decode = "soft",
    ) -> None:
        self.first, self.frozen = _names(first), _names(frozen)
        self.first_share = first_share
        self.multitask_loss = MultitaskLoss(lambda_2d=lambda_2d, decode=decode)
        self.settings = self.multitask_loss.settings

    def stages(self, pipeline: Learner) -> tuple[Stage, ...]:
        """The named parts; then everything that is not to stay frozen."""
        parts = tuple(pipeline.parts)
        if "backbone" not in parts:
            raise ValueError(
                f"'{pipeline.spec}' is one part, of which nothing can thaw later: write "
                "backbone-head+lifter, or take --strategy separate"
            )
        if unknown := [name for name in self.first + self.frozen if name not in parts]:
            raise ValueError(
                f"finetune: '{pipeline.spec}' has no {' and no '.join(unknown)}; "
                f"first= and frozen= take any of its parts, {', '.join(parts)}"
            )
        later = tuple(name for name in parts if name not in self.frozen)
        if not self.first or not set(self.first) < set(later):
            raise ValueError(
                f"finetune: first={'/'.join(self.first)} must be some, but not all, of what is "
                f"not frozen: {', '.join(later) or 'nothing'}"
            )
        self.multitask_loss.check(pipeline)
        return (
            Stage(name="first", trains=self.first, losses=self.losses, share=self.first_share),
            Stage(name="later", trains=later, losses=self.losses, share=1 - self.first_share),
        )

    def losses(self, pipeline: Learner, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The terms that reach a part that learns: others only cost time and blur the log."""
        terms = self.multitask_loss(pipeline, batch, progress)
        return {name: term for name, term in terms.items() if term.requires_grad}


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split("/")) if text else ()
