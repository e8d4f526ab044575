"""Flip averaging at test time: predict a person and their mirror image, and take the mean."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from posezoo.clips import mean_with_mirrored
from posezoo.contracts import Batch, PoseResult
from posezoo.geometry import mirrored
from posezoo.pipeline import Pipeline


def predict_with_flip(pipeline: Pipeline, batch: Batch) -> PoseResult:
    """As `Pipeline.predict`, averaged with what it makes of the mirrored batch, mirrored back.

    A picture is mirrored in itself; joints without one about their camera's principal point, where
    they look as a mirrored person would. Camera and distortion follow exactly. A head that can
    (`decode_flipped`) reads one pose off the mean of both pictures' maps, which the lifter is then
    given, and its mirror image; other heads' joints are averaged. Gives no maps.
    """
    order, told = pipeline.skeleton.mirror, pipeline.set_of(batch.joints2d).mirror
    middle = batch.camera.centre[:, 0]  # (B,) px
    if batch.image is not None:
        middle = torch.full_like(middle, (batch.image.shape[-1] - 1) / 2)
    flipped = replace(
        batch,
        image=None if batch.image is None else batch.image.flip(-1),
        joints2d=mirrored(batch.joints2d, told, middle),
        labelled2d=batch.labelled2d[..., list(told)],
        camera=batch.camera.mirrored(middle),
        confidence=None if batch.confidence is None else batch.confidence[..., list(told)],
    )
    if hasattr(pipeline.head, "decode_flipped"):
        one, other = _from_mean_of_maps(pipeline, batch, flipped, middle)
    else:
        one, other = pipeline.predict(batch), pipeline.predict(flipped)
    joints2d, confidence = one.joints2d, one.confidence
    if joints2d is not None and other.joints2d is not None:
        joints2d = (joints2d + mirrored(other.joints2d, told, middle)) / 2
    if confidence is not None and other.confidence is not None:
        confidence = (confidence + other.confidence[:, list(order)]) / 2
    result = mean_with_mirrored(one, other, pipeline.skeleton)
    return replace(result, joints2d=joints2d, confidence=confidence)


def _from_mean_of_maps(
    pipeline: Pipeline, batch: Batch, flipped: Batch, middle: Tensor
) -> tuple[PoseResult, PoseResult]:
    """What `predict` gives of both batches, if both see the same joints."""
    order = pipeline.skeleton.mirror
    joints2d, confidence = pipeline.head.decode_flipped(
        pipeline.heatmaps(batch.image), pipeline.heatmaps(flipped.image), order
    )
    results = []
    for each, points, sure in (
        (batch, joints2d[:, None], confidence),
        (flipped, mirrored(joints2d[:, None], order, middle), confidence[:, list(order)]),
    ):
        joints3d = None
        if pipeline.lifter is not None:
            joints3d = pipeline.lift(points, each.camera, sure[:, None])
        results.append(PoseResult(joints2d=points, joints3d=joints3d, confidence=sure))
    return results[0], results[1]
