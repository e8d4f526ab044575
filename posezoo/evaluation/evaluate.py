"""The errors of a pipeline on a dataset, under a stated protocol."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posezoo import metrics
from posezoo.contracts import Batch, Dataset, PoseResult
from posezoo.data.complete import left_out
from posezoo.evaluation.bootstrap import Cells
from posezoo.evaluation.evaluated import (
    facts,
    fingerprint,
    named,
    people_trained_on,
    require_finite,
    where_not_finite,
)
from posezoo.evaluation.flip import predict_with_flip
from posezoo.evaluation.metric_table import METRICS
from posezoo.evaluation.open_run import open_run, other_joints2d
from posezoo.evaluation.per_pose import Judged, Progress, collect
from posezoo.evaluation.protocol import Protocol, find_protocol
from posezoo.pipeline import Pipeline
from posezoo.ranks import here


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Errors averaged as the protocol says, in all and by joint, action and subject."""

    protocol: Protocol
    pipeline: str  # its whole spec
    data: str
    items: str  # a hash of what was evaluated (posezoo.evaluation.evaluated)
    seen_people: tuple[str, ...] | None  # those evaluated that it was trained on; None: not known
    flip: bool  # averaged with the mirrored person
    ground_truth_inputs: tuple[str, ...]  # what of the truth the pipeline is given
    samples: int  # poses
    data_poses: int  # of the data in all
    left_out: int  # of those, which no lifter without confidences is told: a 2D joint is missing
    not_finite: tuple[str, ...]  # those of them that have no error, since a number of them is none
    total: dict[str, float]  # by keys of `METRICS`
    interval: dict[str, tuple[float, float]]  # 95 %, by bootstrap over sequences
    cells: dict[str, Cells]  # the errors that runs are ranked by, by sequence
    per_joint: dict[str, dict[str, float]]
    per_action: dict[str, dict[str, float]]
    per_subject: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """As `posezoo eval --json` prints it."""
        return {
            **self.total,
            "flip": self.flip,
            "ground_truth_inputs": self.ground_truth_inputs,
            "samples": self.samples,
            "data_poses": self.data_poses,
            "left_out": self.left_out,
            "not_finite": self.not_finite,
            "interval": self.interval,
            "pipeline": self.pipeline,
            "data": self.data,
            "items": self.items,
            "seen_people": self.seen_people,
            "protocol": self.protocol.to_dict(),
            "per_joint": self.per_joint,
            "per_action": self.per_action,
            "per_subject": self.per_subject,
            "cells": {name: each.to_dict() for name, each in self.cells.items()},
        }


def evaluate(
    pipeline: Pipeline,
    dataset: Dataset,
    protocol: Protocol,
    *,
    data: str,
    batch_size: int,
    device: torch.device,
    bf16: bool = False,
    workers: int = 0,
    max_samples: int = 0,
    flip: bool = False,
    lead: int = 0,
    trained_on: Collection[str] | None = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Run the pipeline over the dataset's items, in order; joints not labelled do not count.

    A pose that is not finite, as predicted or in truth, has no error, and is named.

    `max_samples` takes that many items spread evenly over the split instead (0: all). `flip`
    averages with what it makes of the mirrored person. `lead` is how many frames of each clip only
    serve the velocity of those after them. `trained_on` are the people that the pipeline was
    trained on, None if nobody knows. The pipeline is left in the mode in which it came.

    Raises:
        ValueError: the data has no truth for something that the pipeline predicts, or no pose
            has a finite error.
    """
    detected = False

    def judged(batch: Batch) -> Judged:
        nonlocal detected
        detected = detected or batch.confidence is not None
        truth = pipeline.predicted_frames(batch)
        counted = truth.frames(lead, truth.joints3d.shape[1])
        result = predict_with_flip(pipeline, batch) if flip else pipeline.predict(batch)
        broken = where_not_finite(result, truth)
        found = _errors(pipeline, result, truth, root=protocol.root, with_velocity=lead > 0)
        return Judged(
            errors={
                k: each[:, lead:].where(~broken[:, lead:, None], torch.nan)
                for k, each in found.items()
            },
            not_finite=named(counted, broken[:, lead:].any(1)),
            facts=facts(counted, with_2d=not pipeline.has_image),
        )

    found = collect(
        pipeline,
        dataset,
        protocol,
        judged,
        data=data,
        batch_size=batch_size,
        device=device,
        bf16=bf16,
        workers=workers,
        max_samples=max_samples,
        progress=progress,
    )
    detected = bool(here().greatest(detected))
    require_finite(found, data=data, pipeline=str(pipeline.spec))
    total = found.mean(protocol.aggregate)
    unknown = [name for name, value in total.items() if math.isnan(value)]
    if lacking := [name for name in unknown if METRICS[name].always]:
        raise ValueError(
            f"{data}: no joint is labelled for {', '.join(lacking)}; evaluate on data with 3D truth"
        )
    total = {name: value for name, value in total.items() if name not in unknown}
    return Evaluation(
        protocol=protocol,
        pipeline=str(pipeline.spec),
        data=data,
        items=fingerprint(found.facts),
        seen_people=None if trained_on is None else found.people(among=trained_on),
        flip=flip,
        # Pictures are cropped around the true joints, and the lens is always known.
        ground_truth_inputs=(
            *(("2D box",) if pipeline.has_image else () if detected else ("2D joints",)),
            "camera",
        ),
        samples=len(found),
        data_poses=len(dataset) + left_out(dataset),
        left_out=left_out(dataset),
        not_finite=found.not_finite,
        total=total,
        interval={name: found.interval(name, protocol.aggregate) for name in total},
        cells={k: found.cells(k, protocol.aggregate) for k in total if METRICS[k].ranks},
        per_joint=found.by_joint(),
        per_action=found.by("action"),
        per_subject=found.by("subject"),
    )


def evaluate_run(
    path: Path,
    *,
    data: str | None = None,
    protocol: str = "poses",
    device: torch.device,
    workers: int = 0,
    flip: bool = False,
    joints2d: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate the best checkpoint of a run on its own val split, or on `data`.

    `joints2d` names the detection that a lifter is given, "" the truth; None leaves it to protocol
    and data.

    Raises:
        ValueError: no run there, damaged files, an unknown protocol, or unusable data.
    """
    rules = find_protocol(protocol)
    joints2d = rules.joints2d or joints2d
    run = open_run(
        path, data=data, device=device, with_lead=True, joints2d=joints2d, protocol=rules
    )
    return evaluate(
        run.pipeline,
        run.dataset,
        rules,
        data=str(run.data),
        batch_size=run.settings.batch_size,
        device=device,
        bf16=run.bf16,
        workers=workers,
        flip=flip,
        lead=run.lead,
        trained_on=people_trained_on(run.settings),
        progress=progress,
    )


def evaluate_inputs(path: Path, *, data: str | None = None, **given: Any) -> list[Evaluation]:
    """`evaluate_run`; then the same with the other 2D joints that the data have for a lifter.

    A protocol that names a detection is of that one alone.
    """
    first = evaluate_run(path, data=data, **given)
    if first.protocol.joints2d:
        return [first]
    others = other_joints2d(open_run(path, data=data))
    return [first, *(evaluate_run(path, data=data, **given, joints2d=name) for name in others)]


def _errors(
    pipeline: Pipeline, result: PoseResult, truth: Batch, *, root: int, with_velocity: bool
) -> dict[str, Tensor]:
    """Errors (B, T, J), float64; NaN where a joint is not labelled."""
    errors: dict[str, Tensor] = {}
    # Of detected joints that a lifter is given the truth is not here: `posezoo data info` has it.
    if result.joints2d is not None and truth.confidence is None:
        error = metrics.error_2d(result.joints2d.double(), truth.joints2d.double())
        errors["error_2d_px"] = error.where(truth.labelled2d, torch.nan)
    if result.joints3d is not None:
        predicted, true, labelled = result.joints3d.double(), truth.joints3d, truth.labelled3d
        true, mean_pose = true.double(), pipeline.mean_pose.double().expand_as(true)
        error, skeleton = metrics.mpjpe(predicted, true, root), pipeline.skeleton
        in_3d = {
            "mpjpe_mm": error,
            "pa_mpjpe_mm": metrics.pa_mpjpe(predicted, true, labelled),
            "n_mpjpe_mm": metrics.n_mpjpe(predicted, true, root, labelled),
            "pck150": metrics.pck_3d(error),
            "auc": metrics.auc_3d(error),
            "mean_pose_mpjpe_mm": metrics.mpjpe(mean_pose, true, root),
            "symmetry_mm": metrics.symmetry_error(predicted, skeleton),
        }
        if result.sigma_mm is not None:
            in_3d |= metrics.within_claims(error, result.sigma_mm.double())
        errors |= {name: each.where(labelled, torch.nan) for name, each in in_3d.items()}
        known = true.where(labelled[..., None], torch.nan)
        errors["bone_length_mm"] = metrics.bone_length_error(predicted, known, skeleton)
        if with_velocity:
            errors["mpjve_mm"] = _velocity_error(predicted, known, truth)
    if result.root_mm is not None:
        off = (result.root_mm.double() - truth.root_mm.double()).norm(dim=-1)
        errors["root_mm"] = off[..., None].expand(truth.labelled3d.shape)
    return errors


def _velocity_error(
    predicted: Tensor,  # (B, T, J, 3) mm
    true: Tensor,  # (B, T, J, 3) mm, NaN where not labelled
    truth: Batch,
) -> Tensor:  # (B, T, J) mm a frame
    """NaN at the first frame, and where the start of a sequence is repeated before itself."""
    error = metrics.mpjve(predicted, true, fps=1)
    repeated = (truth.joints3d.diff(dim=1) == 0).all((-1, -2))
    error = error.masked_fill(repeated[..., None], torch.nan)
    return torch.cat([torch.full_like(error[:, :1], torch.nan), error], 1)
