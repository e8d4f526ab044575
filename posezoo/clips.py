"""A whole clip through a lifter, its ends included, and the mean of what it says of each frame.

A lifter of single frames or of windows with one answer is given the clip with its first and last
frame repeated, so that every frame has the frames around it that are needed. One that answers for
whole windows (`lift_window`) is given windows half over each other, the last one at the clip's end;
a clip that is shorter than a window is taken as it is by those that can (`takes_shorter`), and has
its last frame repeated for others. Where windows overlap the mean is taken, in which a frame counts
the more the farther it lies from its window's ends, beyond which the lifter sees nothing. Of the
person and the mirrored person it is the plain mean.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import PoseResult
from posezoo.geometry import mirrored
from posezoo.pipeline import Pipeline
from posezoo.skeleton import Skeleton

_AT_ONCE = 64  # predictions of a window each: what is computed side by side


@torch.no_grad()
def lift_clip(
    pipeline: Pipeline,
    joints2d: Tensor,  # (B, T, J, 2) px, joints of `pipeline.skeleton2d`
    camera: Camera,  # parameters (B, 10)
    confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: true joints, so 1
    *,
    flip: bool = True,
) -> PoseResult:  # of (B, T, J): joints3d in mm, and sigma_mm of a lifter that gives it
    """Every frame of the clip, with `flip` averaged with the mirrored person's.

    Computed in float32 where the pipeline is.
    """
    device = pipeline.mean_pose.device
    joints2d, camera = joints2d.float().to(device), camera.to(torch.float32).to(device)
    confidence = None if confidence is None else confidence.float().to(device)
    if not flip:
        return _lift(pipeline, joints2d, camera, confidence)
    told, middle = list(pipeline.set_of(joints2d).mirror), camera.centre[:, 0]
    if confidence is not None:
        confidence = torch.cat([confidence, confidence[..., told]])
    both = _lift(
        pipeline,
        torch.cat([joints2d, mirrored(joints2d, told, middle)]),
        Camera(torch.cat([camera.parameters, camera.mirrored().parameters])),
        confidence,
    )
    one, other = (_map(lambda values, half=half: values.chunk(2)[half], both) for half in (0, 1))
    return mean_with_mirrored(one, other, pipeline.skeleton)


def mean_with_mirrored(one: PoseResult, other: PoseResult, skeleton: Skeleton) -> PoseResult:
    """The 3D of a person, and that of the mirrored person brought back, averaged."""
    order = list(skeleton.mirror)
    joints3d, sigma = one.joints3d, one.sigma_mm
    if joints3d is not None and other.joints3d is not None:
        back = mirrored(other.joints3d, order, joints3d.new_zeros(len(joints3d)))
        joints3d = (joints3d + back) / 2
    if sigma is not None and other.sigma_mm is not None:
        sigma = (sigma + other.sigma_mm[..., order]) / 2
    return PoseResult(joints3d=joints3d, sigma_mm=sigma)


def _lift(
    pipeline: Pipeline, joints2d: Tensor, camera: Camera, confidence: Tensor | None
) -> PoseResult:
    """Without the mirrored person."""
    by_window = hasattr(pipeline.lifter, "lift_window") and pipeline.lifter.frames > 1
    return (_by_window if by_window else _by_frame)(pipeline, joints2d, camera, confidence)


def _by_frame(
    pipeline: Pipeline, joints2d: Tensor, camera: Camera, confidence: Tensor | None
) -> PoseResult:
    future, steps = pipeline.lifter.future, joints2d.shape[1]
    past = pipeline.lifter.frames - 1 - future
    frame = torch.arange(-past, steps + future).clamp(0, steps - 1)
    parts = []
    for first in range(0, steps, _AT_ONCE):
        seen = frame[first : first + _AT_ONCE + past + future]
        sure = None if confidence is None else confidence[:, seen]
        parts.append(pipeline.lifted(joints2d[:, seen], camera, sure))
    return _map(lambda *each: torch.cat(each, 1), *parts)


def _by_window(
    pipeline: Pipeline, joints2d: Tensor, camera: Camera, confidence: Tensor | None
) -> PoseResult:
    steps, frames = joints2d.shape[1], pipeline.lifter.frames
    if getattr(pipeline.lifter, "takes_shorter", False):
        frames = min(frames, steps)
    last = max(steps - frames, 0)
    starts = sorted({*range(0, last, max(frames // 2, 1)), last})
    parts = []
    order = torch.arange(1, frames + 1, device=joints2d.device)
    weight, sum_of_weights = torch.minimum(order, order.flip(0)), joints2d.new_zeros(steps)
    for start in starts:
        frame = torch.arange(start, start + frames).clamp(max=steps - 1)
        sure = None if confidence is None else confidence[:, frame]
        parts.append(pipeline.lifted_window(joints2d[:, frame], camera, sure))
        sum_of_weights[start : start + frames] += weight[: steps - start]

    def mean(*each: Tensor) -> Tensor:
        total = each[0].new_zeros(len(each[0]), steps, *each[0].shape[2:])
        by_frame = (-1, *(1 for _ in total.shape[2:]))
        for start, values in zip(starts, each, strict=True):
            weighed = values * weight.view(by_frame)
            total[:, start : start + frames] += weighed[:, : steps - start]
        return total / sum_of_weights.view(by_frame)

    return _map(mean, *parts)


def _map(change: Callable[..., Tensor], *parts: PoseResult) -> PoseResult:
    """What is made of the joints of all parts, and of their sigmas where they have them."""
    has_sigma = parts[0].sigma_mm is not None
    return PoseResult(
        joints3d=change(*(part.joints3d for part in parts)),
        sigma_mm=change(*(part.sigma_mm for part in parts)) if has_sigma else None,
    )
