"""Two networks, each trained on its own (the source report, section 3.3.1).

The head learns from the true 2D joints. What the lifter learns from is `lifter_input`:

true        true 2D joints, at the same time as the head
noisy       true 2D joints with errors drawn from the model of a detector
            (posezoo.evaluation.detector_errors), at the same time; needs no pictures, so a bare
            lifter can do it
predicted   the joints that the finished head predicts, afterwards
curriculum  afterwards too, but each person is given true joints at first, and predicted ones ever
            more often, until from the middle of the lifter's stage on there are no others
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from posezoo.contracts import Batch, Stage
from posezoo.evaluation.detector_errors import DetectorErrors

if TYPE_CHECKING:
    from posezoo.pipeline import Pipeline

_ALL_PREDICTED = 0.5  # of the lifter's stage, where the curriculum has left true joints behind


class Separate:
    """No gradient passes between the two networks."""

    def __init__(
        self,
        *,
        lifter_input: Literal["true", "noisy", "predicted", "curriculum"] = "true",
        lifter_share: float = 0.3,  # of the steps, where the lifter waits for the head
        errors: str = "",  # of "noisy": "assumed", or a file that posezoo errors has written
    ) -> None:
        if not 0 < lifter_share < 1:
            raise ValueError(f"lifter_share={lifter_share}: expected a number between 0 and 1")
        if (lifter_input == "noisy") != bool(errors):
            raise ValueError(
                f"separate:lifter_input={lifter_input},errors={errors or '(none)'}: drawn errors "
                "need both lifter_input=noisy and errors=FILE (posezoo errors RUN --out FILE), or "
                "errors=assumed"
            )
        self.lifter_input = lifter_input
        self.lifter_share = lifter_share
        self.errors = errors
        self.settings: dict[str, Any] = {}

    def stages(self, pipeline: Pipeline) -> tuple[Stage, ...]:
        """One stage, or a second one for a lifter that waits for the head."""
        waits = self.lifter_input in ("predicted", "curriculum")
        lift = self.lifter
        if self.lifter_input == "noisy":
            model = (
                DetectorErrors.assumed(pipeline.skeleton)
                if self.errors == "assumed"
                else DetectorErrors.load(Path(self.errors), pipeline.skeleton)
            )

            def lift(pipeline: Pipeline, batch: Batch, progress: float) -> dict[str, Tensor]:
                joints2d, confidence = model.apply(batch.joints2d)
                return {"3d": pipeline.lift_loss(joints2d, batch, confidence)}

        if not pipeline.has_image:
            if waits:
                raise ValueError(
                    f"separate:lifter_input={self.lifter_input} needs a head that predicts 2D "
                    "joints; a bare lifter learns from true ones (lifter_input=true), or from "
                    "drawn errors (lifter_input=noisy)"
                )
            return (Stage(name="lifter", trains=("lifter",), losses=lift),)
        detector = pipeline.require("backbone", "head")
        if pipeline.lifter is None:
            return (Stage(name="head", trains=detector, losses=self.head),)
        if not waits:

            def both(pipeline: Pipeline, batch: Batch, progress: float) -> dict[str, Tensor]:
                """Two losses of disjoint parameters: as two trainings side by side."""
                lifted = lift(pipeline, batch, progress)
                return {**lifted, **self.head(pipeline, batch, progress)}

            return (Stage(name="separate", trains=(*detector, "lifter"), losses=both),)
        share = self.lifter_share
        return (
            Stage(name="head", trains=detector, losses=self.head, share=1 - share),
            Stage(name="lifter", trains=("lifter",), losses=lift, share=share),
        )

    def head(self, pipeline: Pipeline, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The head's own loss."""
        del progress
        key = "2d" if pipeline.head.output == "joints2d" else "3d"
        return {key: pipeline.head.loss(pipeline.heatmaps(batch.image), batch)}

    def lifter(self, pipeline: Pipeline, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The 3D loss on true joints, on those that the frozen head predicts, or on both."""
        if self.lifter_input == "true":
            return {"3d": pipeline.lift_loss(batch.joints2d, batch)}
        with torch.no_grad():
            joints2d, confidence = pipeline.head.decode(pipeline.heatmaps(batch.image))
        joints2d, confidence = joints2d[:, None], confidence[:, None]
        if self.lifter_input == "curriculum":
            share = min(1.0, progress / _ALL_PREDICTED)
            is_true = torch.rand(len(batch), 1, 1, device=joints2d.device) >= share
            joints2d = torch.where(is_true[..., None], batch.joints2d, joints2d)
            confidence = confidence.masked_fill(is_true, 1.0)
        return {"3d": pipeline.lift_loss(joints2d, batch, confidence)}
