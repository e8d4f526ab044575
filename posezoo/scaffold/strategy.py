"""Head and lifter at once, the lifter on true joints that are shaken as a detector's are.

Two weighted losses: the head's on the picture, the lifter's on true 2D joints with noise of
`noise_px`. No gradient passes between the two networks, and the lifter meets errors from the first
step, before the head is good enough to make any that are worth learning from.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from posezoo.contracts import Batch, Learner, Stage
from posezoo.limits import NotNegative


class MyEntry:
    """One stage for all parts."""

    def __init__(
        self,
        *,
        weight_2d: NotNegative = 1.0,
        weight_3d: NotNegative = 1.0,
        noise_px: NotNegative = 1.0,  # standard deviation of each coordinate
    ) -> None:
        if noise_px < 0:
            raise ValueError(f"noise_px={noise_px}: expected 0 or more")
        self.weight_2d, self.weight_3d, self.noise_px = weight_2d, weight_3d, noise_px
        self.settings: dict[str, Any] = {}  # what it needs of the parts: nothing

    def stages(self, pipeline: Learner) -> tuple[Stage, ...]:
        """One stage for backbone, head and lifter."""
        trains = pipeline.require("backbone", "head", "lifter")
        return (Stage(name="my_entry", trains=trains, losses=self.losses),)

    def losses(self, pipeline: Learner, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The weighted terms "2d" and "3d"; `progress` is the share of the stage that is done."""
        del progress  # the weights stay as they are
        maps = pipeline.heatmaps(batch.image)
        shaken = batch.joints2d + self.noise_px * torch.randn_like(batch.joints2d)
        return {
            "2d": self.weight_2d * pipeline.head.loss(maps, batch),
            "3d": self.weight_3d * pipeline.lift_loss(shaken, batch),
        }
