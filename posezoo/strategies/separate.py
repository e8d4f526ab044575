"""Two networks, each trained on its own (the source report, section 3.3.1).

The head learns from the true 2D joints. What the lifter learns from is `lifter_input`:

true        true 2D joints, at the same time as the head
noisy       true 2D joints with errors drawn from the model of a detector
            (posezoo.detector_errors), at the same time; needs no pictures, so a bare
            lifter can do it
predicted   the joints that the finished head predicts, afterwards
curriculum  afterwards too, but each person is given true joints at first, and predicted ones ever
            more often, until from the middle of the lifter's stage on there are no others
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from posezoo.contracts import Batch, Learner, Stage
from posezoo.detector_errors import DetectorErrors
from posezoo.limits import NotNegative, Part
from posezoo.skeleton import Skeleton
from posezoo.strategies._body_prior import RealBodies
from posezoo.strategies._multitask_loss import head_term

_ALL_PREDICTED = 0.5  # of the lifter's stage, where the curriculum has left true joints behind

# What the lifter is given of a batch, at that share of its stage: joints (B, T, J, 2) px, and
# confidence (B, T, J), None of true joints.
LifterInput = Callable[[Learner, Batch, float], tuple[Tensor, Tensor | None]]


class Separate:
    """No gradient passes between the two networks.

    Args:
        lifter_input: see above.
        lifter_share: of the steps, where the lifter waits for the head.
        errors: of "noisy": "assumed", or a file that `posezoo errors` has written.
        lambda_2d: weight of the head's loss; matters to what sees the sum, as grad_clip does.
        prior: an .npz of real people's `poses` and `betas`, by which a head that makes bodies
            learns to make possible ones.
        prior_weight: of that; HMR's, whose joints weigh 60 times as much.
    """

    def __init__(
        self,
        *,
        lifter_input: Literal["true", "noisy", "predicted", "curriculum"] = "true",
        lifter_share: Part = 0.3,
        errors: str = "",
        lambda_2d: NotNegative = 0.01,
        prior: str = "",
        prior_weight: NotNegative = 1 / 60,
    ) -> None:
        if (lifter_input == "noisy") != bool(errors):
            raise ValueError(
                f"separate:lifter_input={lifter_input},errors={errors or '(none)'}: drawn errors "
                "need both lifter_input=noisy and errors=FILE (posezoo errors RUN --out FILE), or "
                "errors=assumed"
            )
        self.lifter_input = lifter_input
        self.lifter_share = lifter_share
        self.errors = errors
        self.lambda_2d = lambda_2d
        self.prior = RealBodies(Path(prior), prior_weight) if prior else None
        self.settings: dict[str, Any] = {"head.prior": True} if prior else {}

    def stages(self, pipeline: Learner) -> tuple[Stage, ...]:
        """One stage for what learns side by side, or one each where the lifter waits."""
        head = pipeline.require("backbone", "head") if pipeline.has_image else ()
        lifter = ("lifter",) if pipeline.lifter is not None else ()
        waits = self.lifter_input in ("predicted", "curriculum")
        if waits and not head:
            raise ValueError(
                f"separate:lifter_input={self.lifter_input} needs a head that predicts 2D "
                "joints; a bare lifter learns from true ones (lifter_input=true), or from "
                "drawn errors (lifter_input=noisy)"
            )
        if self.prior and getattr(pipeline.head, "prior", None) is None:
            raise ValueError(
                f"'{pipeline.spec}' has no head that makes bodies, which prior= judges: "
                "write resnet50:cut=layer4-smpl:model=FILE (posezoo info smpl)"
            )
        given = self._given(pipeline.skeleton) if lifter else None
        if not (waits and lifter):
            losses = Losses(
                weight_2d=self.lambda_2d if head else 0, lifter_input=given, prior=self.prior
            )
            return (Stage(name="separate", trains=head + lifter, losses=losses),)
        share = self.lifter_share
        first = Losses(weight_2d=self.lambda_2d, lifter_input=None)
        then = Losses(weight_2d=0, lifter_input=given)
        return (
            Stage(name="head", trains=head, losses=first, share=1 - share),
            Stage(name="lifter", trains=lifter, losses=then, share=share),
        )

    def _given(self, skeleton: Skeleton) -> LifterInput:
        match self.lifter_input:
            case "true":
                return true_joints
            case "noisy" if self.errors == "assumed":
                return NoisyJoints(DetectorErrors.assumed(skeleton))
            case "noisy":
                return NoisyJoints(DetectorErrors.load(Path(self.errors), skeleton))
            case "predicted":
                return predicted_joints
        return curriculum


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """The terms of a stage, of disjoint parameters: as two trainings side by side."""

    weight_2d: float  # of the head's loss; 0: the head does not learn
    lifter_input: LifterInput | None  # None: the lifter does not learn
    prior: RealBodies | None = None  # by which the head's bodies are judged too

    def __call__(self, pipeline: Learner, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The 3D loss on what the lifter is given, and the head's own."""
        terms = {}
        if self.lifter_input is not None:
            joints2d, confidence = self.lifter_input(pipeline, batch, progress)
            terms["3d"] = pipeline.lift_loss(joints2d, batch, confidence)
        if self.prior:
            maps = pipeline.heatmaps(batch.image)
            terms |= head_term(pipeline, pipeline.head.loss(maps, batch), self.weight_2d)
            terms |= self.prior.terms(pipeline, maps)
        elif self.weight_2d:
            terms |= head_term(pipeline, pipeline.head_loss(batch), self.weight_2d)
        return terms


def true_joints(
    pipeline: Learner, batch: Batch, progress: float
) -> tuple[Tensor, Tensor | None]:  # as all of these: see `LifterInput`
    """The data's own: true, or what a detector has found (`store:...,joints2d=NAME`)."""
    return batch.known2d, batch.confidence


@dataclass(frozen=True, slots=True)
class NoisyJoints:
    """True joints as a detector would have found them."""

    errors: DetectorErrors

    def __call__(
        self, pipeline: Learner, batch: Batch, progress: float
    ) -> tuple[Tensor, Tensor | None]:
        """With errors drawn from torch's own generator."""
        if batch.confidence is not None:
            raise ValueError(
                "separate:lifter_input=noisy draws errors on true joints, and these data have "
                "detected ones: leave out joints2d= of the data, or lifter_input=noisy"
            )
        return self.errors.apply(batch.known2d)


@torch.no_grad()
def predicted_joints(
    pipeline: Learner, batch: Batch, progress: float
) -> tuple[Tensor, Tensor | None]:
    """Those that the frozen head finds."""
    joints2d, confidence = pipeline.head.decode(pipeline.heatmaps(batch.image))
    return joints2d[:, None], confidence[:, None]


def curriculum(pipeline: Learner, batch: Batch, progress: float) -> tuple[Tensor, Tensor | None]:
    """Predicted ones for a share of the people that grows, true ones for the others."""
    joints2d, confidence = predicted_joints(pipeline, batch, progress)
    assert confidence is not None
    share = min(1.0, progress / _ALL_PREDICTED)
    is_true = torch.rand(len(batch), 1, 1, device=joints2d.device) >= share
    joints2d = torch.where(is_true[..., None], batch.known2d, joints2d)
    return joints2d, confidence.masked_fill(is_true, 1.0)
