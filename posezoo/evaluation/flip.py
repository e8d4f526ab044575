"""Flip averaging at test time: predict a person and their mirror image, and take the mean."""

from __future__ import annotations

from dataclasses import replace

import torch

from posezoo.contracts import Batch, PoseResult
from posezoo.geometry import mirrored
from posezoo.pipeline import Pipeline


def predict_with_flip(pipeline: Pipeline, batch: Batch) -> PoseResult:
    """As `Pipeline.predict`, averaged with what it makes of the mirrored batch, mirrored back.

    A picture is mirrored in itself; joints without one about their camera's principal point, where
    they look as a mirrored person would. Camera and distortion follow exactly. Gives no maps.
    """
    order = pipeline.skeleton.mirror
    middle = batch.camera.centre[:, 0]  # (B,) px
    if batch.image is not None:
        middle = torch.full_like(middle, (batch.image.shape[-1] - 1) / 2)
    flipped = replace(
        batch,
        image=None if batch.image is None else batch.image.flip(-1),
        joints2d=mirrored(batch.joints2d, order, middle),
        camera=batch.camera.mirrored(middle),
    )
    one, other = pipeline.predict(batch), pipeline.predict(flipped)
    joints2d, joints3d, confidence = one.joints2d, one.joints3d, one.confidence
    if joints2d is not None and other.joints2d is not None:
        joints2d = (joints2d + mirrored(other.joints2d, order, middle)) / 2
    if joints3d is not None and other.joints3d is not None:
        joints3d = (joints3d + mirrored(other.joints3d, order, torch.zeros_like(middle))) / 2
    if confidence is not None and other.confidence is not None:
        confidence = (confidence + other.confidence[:, list(order)]) / 2
    return PoseResult(joints2d=joints2d, joints3d=joints3d, confidence=confidence)
