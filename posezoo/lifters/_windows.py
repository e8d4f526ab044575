"""Clips for networks that see windows of a fixed number of frames."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from posezoo.camera import Camera
from posezoo.normalisation import Normalisation

Network = Callable[[Tensor], Tensor]  # (N, frames, J, inputs) to (N, 1 or frames, J, 3)


def lift_centres(
    network: Network,
    normalisation: Normalisation,
    joints2d: Tensor,  # (B, T, J, 2) px
    camera: Camera,  # parameters (B, 10)
    confidence: Tensor | None,  # (B, T, J)
    *,
    frames: int,
) -> Tensor:  # (B, T - frames + 1, J, 3) mm, camera frame, root exactly 0
    """The middle frame of every window of the clip.

    Raises:
        ValueError: the clip is too short.
    """
    require_frames(joints2d, frames)
    inputs, to_camera = normalisation.inputs(joints2d, camera, confidence)
    windows = normalisation.by_joint(inputs).unfold(1, frames, 1).movedim(-1, 2)
    outputs = network(windows.flatten(0, 1))
    middle = outputs[:, outputs.shape[1] // 2].flatten(1).unflatten(0, windows.shape[:2])
    past = frames // 2
    return normalisation.joints3d(middle, to_camera[:, past : past + middle.shape[1]])


def lift_window(
    network: Network,
    normalisation: Normalisation,
    joints2d: Tensor,  # (B, frames, J, 2) px
    camera: Camera,  # parameters (B, 10)
    confidence: Tensor | None,  # (B, frames, J)
) -> Tensor:  # (B, frames, J, 3) mm, camera frame, root exactly 0
    """Every frame of one window."""
    inputs, to_camera = normalisation.inputs(joints2d, camera, confidence)
    return normalisation.joints3d(network(normalisation.by_joint(inputs)).flatten(2), to_camera)


def require_frames(
    joints2d: Tensor,  # (B, T, J, 2)
    frames: int,
) -> None:
    """Refuse a clip that is too short for a single prediction.

    Raises:
        ValueError: it has fewer frames.
    """
    if joints2d.shape[1] < frames:
        raise ValueError(
            f"a prediction sees {frames} frames, and this clip has {joints2d.shape[1]}; repeat "
            "its ends, or build the lifter with a smaller frames="
        )
