"""A whole clip through a lifter, its ends included, and the mean of what it says of each frame.

A lifter of single frames or of windows with one answer is given the clip with its first and last
frame repeated, so that every frame has the frames around it that are needed. One that answers for
whole windows (`lift_window`) is given windows half over each other, the last one at the clip's end;
a clip that is shorter than a window has its last frame repeated. Where windows overlap, and of the
person and the mirrored person, the mean is taken.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.geometry import mirrored
from posezoo.pipeline import Pipeline

_AT_ONCE = 64  # predictions of a window each: what is computed side by side


@torch.no_grad()
def lift_clip(
    pipeline: Pipeline,
    joints2d: Tensor,  # (B, T, J, 2) px, joints of `pipeline.skeleton2d`
    camera: Camera,  # parameters (B, 10)
    confidence: Tensor | None = None,  # (B, T, J), 0 to 1; None: true joints, so 1
    *,
    flip: bool = True,
) -> Tensor:  # (B, T, J, 3) mm, camera frame, root exactly 0
    """Every frame of the clip, with `flip` averaged with the mirrored person's.

    Computed in float32 where the pipeline is.
    """
    device = pipeline.mean_pose.device
    joints2d, camera = joints2d.float().to(device), camera.to(torch.float32).to(device)
    confidence = None if confidence is None else confidence.float().to(device)
    joints3d = _lift(pipeline, joints2d, camera, confidence)
    if not flip:
        return joints3d
    order, middle = pipeline.skeleton2d.mirror, camera.centre[:, 0]
    other = _lift(
        pipeline,
        mirrored(joints2d, order, middle),
        camera.mirrored(),
        None if confidence is None else confidence[..., list(order)],
    )
    other = mirrored(other, pipeline.skeleton.mirror, torch.zeros_like(middle))
    return (joints3d + other) / 2


def _lift(
    pipeline: Pipeline, joints2d: Tensor, camera: Camera, confidence: Tensor | None
) -> Tensor:
    """Without the mirrored person."""
    by_window = hasattr(pipeline.lifter, "lift_window")
    return (_by_window if by_window else _by_frame)(pipeline, joints2d, camera, confidence)


def _by_frame(
    pipeline: Pipeline, joints2d: Tensor, camera: Camera, confidence: Tensor | None
) -> Tensor:
    future, steps = pipeline.lifter.future, joints2d.shape[1]
    past = pipeline.lifter.frames - 1 - future
    frame = torch.arange(-past, steps + future).clamp(0, steps - 1)
    parts = []
    for first in range(0, steps, _AT_ONCE):
        seen = frame[first : first + _AT_ONCE + past + future]
        sure = None if confidence is None else confidence[:, seen]
        parts.append(pipeline.lift(joints2d[:, seen], camera, sure))
    return torch.cat(parts, 1)


def _by_window(
    pipeline: Pipeline, joints2d: Tensor, camera: Camera, confidence: Tensor | None
) -> Tensor:
    steps, frames = joints2d.shape[1], pipeline.lifter.frames
    last = max(steps - frames, 0)
    starts = sorted({*range(0, last, max(frames // 2, 1)), last})
    total = joints2d.new_zeros(*joints2d.shape[:2], pipeline.skeleton.num_joints, 3)
    times = joints2d.new_zeros(steps, 1, 1)
    for start in starts:
        frame = torch.arange(start, start + frames).clamp(max=steps - 1)
        sure = None if confidence is None else confidence[:, frame]
        joints3d = pipeline.lift_window(joints2d[:, frame], camera, sure)
        seen = slice(start, start + frames)
        total[:, seen] += joints3d[:, : steps - start]
        times[seen] += 1
    return total / times
