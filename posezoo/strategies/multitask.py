"""One network, trained end to end in one stage (the source report, section 3.3.2)."""

from __future__ import annotations

from posezoo.contracts import Learner, Stage
from posezoo.limits import NotNegative
from posezoo.strategies._multitask_loss import Decode, MultitaskLoss


class Multitask:
    """Everything learns at once; see `_multitask_loss.py` for the losses.

    Args:
        lambda_2d: weight of the head's own loss beside the lifter's.
        decode: how maps become the joints that the lifter is given while both learn: "hard",
            "soft", "soft_detach" or "straight_through".
    """

    def __init__(self, *, lambda_2d: NotNegative = 0.01, decode: Decode = "soft") -> None:
        self.losses = MultitaskLoss(lambda_2d=lambda_2d, decode=decode)
        self.settings = self.losses.settings

    def stages(self, pipeline: Learner) -> tuple[Stage, ...]:
        """One stage for backbone, head and lifter."""
        trains = pipeline.require("backbone", "head", "lifter")
        self.losses.check(pipeline)
        return (Stage(name="multitask", trains=trains, losses=self.losses),)
