"""Where a pipeline's 3D error comes from: which part should be improved?

Three ways to split the same MPJPE, each against its own counterfactual:

- detector and lifter: lift the true 2D joints instead of the predicted ones. What remains is the
  lifter's, what goes is the detector's; with one joint made true at a time, that joint's.
- line of sight and across it: a picture tells little of the first.
- pose, orientation and size: what is left after the best rotation, place and scale (PA-MPJPE), what
  the rotation and place take away, and what the scale takes away on top.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posezoo.contracts import Batch, Dataset
from posezoo.data.complete import left_out
from posezoo.evaluation.evaluated import named, require_finite, where_not_finite
from posezoo.evaluation.open_run import open_run
from posezoo.evaluation.per_pose import Judged, Progress, collect
from posezoo.evaluation.protocol import Protocol, find_protocol
from posezoo.geometry import procrustes_align, root_relative
from posezoo.metrics import mpjpe, pa_mpjpe
from posezoo.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean in mm with its 95 % interval, by bootstrap over sequences."""

    mm: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mm:.1f} mm ({self.low:.1f} to {self.high:.1f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The shares of an MPJPE; `parts` and `joints` are empty where no detector feeds a lifter."""

    protocol: Protocol
    data: str
    samples: int  # poses
    data_poses: int  # of the data in all
    left_out: int  # of those, which no lifter without confidences is told: a 2D joint is missing
    not_finite: tuple[str, ...]  # those of them that have no error, since a number of them is none
    total: Estimate  # the MPJPE
    parts: dict[str, Estimate]  # "detector" and "lifter" add up to it
    detector_over_lifter: Estimate | None  # the one less the other, over the same poses
    joints: dict[str, Estimate]  # by how much it falls if that joint alone is true in 2D
    directions: dict[str, Estimate]  # mean error "across" the line of sight and "along" it
    along_share: float  # of the squared error, 0 to 1; a third if no direction is special
    alignment: dict[str, Estimate]  # "pose", "orientation" and "size" add up to the total

    @property
    def answer(self) -> str:
        """Which part to improve, in one sentence."""
        line = f"{self.along_share:.0%} of the squared error lies along the line of sight"
        if self.detector_over_lifter is None:
            worst = max(self.alignment, key=lambda name: self.alignment[name].mm)
            return f"Improve the {worst} first, {self.alignment[worst]} of {self.total}; {line}."
        detector, lifter = self.parts["detector"], self.parts["lifter"]
        if self.detector_over_lifter.low > 0:
            worst = max(self.joints, key=lambda name: self.joints[name].mm)
            return (
                f"Improve the 2D detector first: true joints would take {detector} off {self.total}"
                f", most of all {worst}, {self.joints[worst]}."
            )
        if self.detector_over_lifter.high < 0:
            learned = ""
            if detector.high < 0:
                learned = ", more than on predicted ones: train it on both"
            return (
                f"Improve the lifter first: on true joints it is off by {lifter}{learned}; {line}."
            )
        return (
            "Improve either: detector and lifter do not differ significantly on these poses, "
            f"{detector} and {lifter}."
        )

    def to_dict(self) -> dict[str, Any]:
        """As `posezoo eval --attribute --json` prints it."""
        return {**asdict(self), "protocol": self.protocol.to_dict(), "answer": self.answer}


def attribute(
    pipeline: Pipeline,
    dataset: Dataset,
    protocol: Protocol,
    *,
    data: str,
    batch_size: int,
    device: torch.device,
    bf16: bool = False,
    workers: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """Split the MPJPE of a pipeline that predicts 3D, over the poses that the protocol counts.

    Raises:
        ValueError: the pipeline or the data has no 3D, or the protocol leaves no pose.
    """
    found = collect(
        pipeline,
        dataset,
        protocol,
        lambda batch: _judged(pipeline, batch, protocol.root),
        data=data,
        batch_size=batch_size,
        device=device,
        bf16=bf16,
        workers=workers,
        progress=progress,
    )
    require_finite(found, data=data, pipeline=str(pipeline.spec))
    if found.errors["total"].isnan().all():
        raise ValueError(f"{data}: no joint is labelled in 3D; attribute on data with 3D truth")
    means = found.mean(protocol.aggregate)
    intervals = {name: found.interval(name, protocol.aggregate) for name in means}
    known = {
        name: Estimate(mm=mean, low=intervals[name][0], high=intervals[name][1])
        for name, mean in means.items()
    }
    squares = {name: found.errors[name].square().nanmean().item() for name in ("along", "across")}
    return Attribution(
        protocol=protocol,
        data=data,
        samples=len(found),
        data_poses=len(dataset) + left_out(dataset),
        left_out=left_out(dataset),
        not_finite=found.not_finite,
        total=known["total"],
        parts={name: known[name] for name in ("detector", "lifter") if name in known},
        detector_over_lifter=known.get("detector_over_lifter"),
        joints={name: known[name] for name in pipeline.skeleton.joints if name in known},
        directions={name: known[name] for name in ("across", "along")},
        along_share=squares["along"] / max(sum(squares.values()), 1e-9),
        alignment={name: known[name] for name in ("pose", "orientation", "size")},
    )


def attribute_run(
    path: Path,
    *,
    data: str | None = None,
    protocol: str = "poses",
    device: torch.device,
    workers: int = 0,
    progress: Progress | None = None,
) -> Attribution:
    """`attribute` of a run's best checkpoint on its own val split, or on `data`.

    Raises:
        ValueError: as `attribute`; no run there, damaged files, or unusable data.
    """
    rules = find_protocol(protocol)
    run = open_run(path, data=data, device=device, joints2d=rules.joints2d or None)
    return attribute(
        run.pipeline,
        run.dataset,
        rules,
        data=str(run.data),
        batch_size=run.settings.batch_size,
        device=device,
        bf16=run.bf16,
        workers=workers,
        progress=progress,
    )


def at_true_depth(
    joints2d: Tensor,  # (B, T, J, 2) px
    truth: Batch,  # of the same frames
) -> Tensor:  # (B, T, J, 3) mm, root-relative
    """Those joints, each as far from the camera as it truly is: what 2D errors alone cost."""
    depth = (truth.joints3d + truth.root_mm[..., None, :])[..., 2:]
    rays = truth.camera.to_rays(joints2d.flatten(1, 2), beyond="edge").view_as(joints2d)
    placed = torch.cat([rays * depth, depth], -1)
    return placed - placed[..., :1, :]


def _judged(pipeline: Pipeline, batch: Batch, root: int) -> Judged:
    """Errors and their differences (B, T, J) in mm, float64; NaN where a joint is not labelled."""
    truth = pipeline.predicted_frames(batch)
    true, labelled = truth.joints3d.double(), truth.labelled3d
    result = pipeline.predict(batch)
    if result.joints3d is None:
        raise ValueError(f"'{pipeline.spec}' predicts no 3D to attribute; add a lifter")
    predicted = result.joints3d.double()
    total = mpjpe(predicted, true, root)
    pose, rigid = pa_mpjpe(predicted, true, labelled), _rigid_mpjpe(predicted, true, labelled)
    off = root_relative(predicted, root) - root_relative(true, root)
    sight = (truth.root_mm.double() / truth.root_mm.double().norm(dim=-1, keepdim=True))[
        ..., None, :
    ]
    along = (off * sight).sum(-1, keepdim=True)
    errors = {
        "total": total,
        "across": (off - along * sight).norm(dim=-1),
        "along": along[..., 0].abs(),
        "pose": pose,
        "orientation": total - rigid,
        "size": rigid - pose,
    }
    if pipeline.has_image and pipeline.lifter is not None and result.joints2d is not None:
        seen, known2d = result.joints2d, batch.labelled2d[..., None]
        sure = None if result.confidence is None else result.confidence[:, None]

        def lifted(is_true: Tensor) -> Tensor:  # (J, 1) bool: the joints that are true in 2D
            joints2d = torch.where(is_true & known2d, batch.joints2d, seen)
            confidence = (
                None if sure is None else sure.masked_fill((is_true & known2d)[..., 0], 1.0)
            )
            return mpjpe(pipeline.lift(joints2d, batch.camera, confidence).double(), true, root)

        lifter = lifted(torch.ones_like(known2d[0, 0]))
        errors |= {"lifter": lifter, "detector": total - lifter}
        errors["detector_over_lifter"] = total - 2 * lifter
        for name, alone in zip(pipeline.skeleton.joints, _one_hot(known2d), strict=True):
            errors[name] = total - lifted(alone)
    broken = where_not_finite(result, truth)
    known = labelled & ~broken[..., None]
    return Judged(
        errors={name: each.where(known, torch.nan) for name, each in errors.items()},
        not_finite=named(truth, broken.any(1)),
    )


def _one_hot(known2d: Tensor) -> Tensor:  # (B, T, J, 1) -> (J, J, 1) bool
    return torch.eye(known2d.shape[-2], dtype=torch.bool, device=known2d.device)[..., None]


def _rigid_mpjpe(
    predicted: Tensor,  # (..., J, 3) mm
    true: Tensor,  # (..., J, 3) mm
    labelled: Tensor,  # (..., J) bool: the joints to fit by
) -> Tensor:  # (..., J) mm
    """Distance of each joint after the best rotation and translation: `pa_mpjpe` but for scale."""
    known = labelled[..., None]
    count = known.sum(-2, keepdim=True).clamp_min(1)

    def spread(joints: Tensor, centre: Tensor) -> Tensor:
        return (joints - centre).where(known, 0).square().sum((-1, -2), keepdim=True).sqrt()

    own, centre = (each.where(known, 0).sum(-2, keepdim=True) / count for each in (predicted, true))
    aligned = procrustes_align(predicted, true, labelled)
    scale = spread(predicted, own) / spread(aligned, centre).clamp_min(1e-9)
    return (centre + scale * (aligned - centre) - true).norm(dim=-1)
