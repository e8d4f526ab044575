"""Two networks, each trained on its own (the source report, section 3.3.1).

The head learns from the true 2D joints. The lifter learns either from true 2D joints, at the same
time, or from the joints that the finished head predicts, afterwards. A bare lifter has only true
2D joints to learn from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from posezoo.contracts import Batch, Stage

if TYPE_CHECKING:
    from posezoo.pipeline import Pipeline


class Separate:
    """No gradient passes between the two networks."""

    def __init__(
        self,
        *,
        lifter_input: Literal["true", "predicted"] = "true",
        lifter_share: float = 0.3,  # of the steps, where the lifter waits for the head
    ) -> None:
        if not 0 < lifter_share < 1:
            raise ValueError(f"lifter_share={lifter_share}: expected a number between 0 and 1")
        self.lifter_input = lifter_input
        self.lifter_share = lifter_share
        self.settings: dict[str, Any] = {}

    def stages(self, pipeline: Pipeline) -> tuple[Stage, ...]:
        """One stage on true 2D joints; two on predicted ones."""
        if not pipeline.has_image:
            if self.lifter_input == "predicted":
                raise ValueError(
                    "separate:lifter_input=predicted needs a head that predicts 2D joints; a bare "
                    "lifter learns from true ones (lifter_input=true)"
                )
            return (Stage(name="lifter", trains=("lifter",), losses=self.lifter_on_true),)
        detector = pipeline.require("backbone", "head")
        if pipeline.lifter is None:
            return (Stage(name="head", trains=detector, losses=self.head),)
        lifter = ("lifter",)
        if self.lifter_input == "true":
            return (Stage(name="separate", trains=detector + lifter, losses=self.both),)
        return (
            Stage(
                name="head",
                trains=detector,
                losses=self.head,
                share=1 - self.lifter_share,
            ),
            Stage(
                name="lifter",
                trains=lifter,
                losses=self.lifter_on_predicted,
                share=self.lifter_share,
            ),
        )

    def head(self, pipeline: Pipeline, batch: Batch) -> dict[str, Tensor]:
        """The heatmap loss."""
        return {"2d": pipeline.head.loss(pipeline.heatmaps(batch.image), batch.joints2d[:, 0])}

    def lifter_on_true(self, pipeline: Pipeline, batch: Batch) -> dict[str, Tensor]:
        """The 3D loss on true 2D joints."""
        joints3d = pipeline.lift(batch.joints2d, batch.camera)
        return {"3d": pipeline.lifter.loss(joints3d, batch.joints3d)}

    def both(self, pipeline: Pipeline, batch: Batch) -> dict[str, Tensor]:
        """Two losses of disjoint parameters: as two trainings side by side."""
        return {**self.lifter_on_true(pipeline, batch), **self.head(pipeline, batch)}

    def lifter_on_predicted(self, pipeline: Pipeline, batch: Batch) -> dict[str, Tensor]:
        """The 3D loss on the joints that the frozen head predicts."""
        with torch.no_grad():
            joints2d, _ = pipeline.head.decode(pipeline.heatmaps(batch.image))
        joints3d = pipeline.lift(joints2d[:, None], batch.camera)
        return {"3d": pipeline.lifter.loss(joints3d, batch.joints3d)}
