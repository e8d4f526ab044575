"""Putting poses of the camera frame into a `Batch`, and taking one `Sample` out of it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Batch, Sample
from posezoo.geometry import root_relative


def make_batch(
    *,
    joints_mm: Tensor,  # (N, J, 3) mm, camera frame, absolute
    joints2d: Tensor,  # (N, J, 2) px
    visible: Tensor,  # (N, J) bool
    camera: Camera,  # parameters (N, 10): the camera of those pixels
    subject: NDArray[np.str_],  # (N,) of str
    action: NDArray[np.str_],  # (N,) of str
    image: Tensor | None = None,  # (N, 3, H, W) uint8 RGB
    root: int = 0,
) -> Batch:
    """Single pictures (T = 1) as a float32 batch."""
    return Batch(
        joints2d=joints2d[:, None].float(),
        joints3d=root_relative(joints_mm, root)[:, None].float(),
        root_mm=joints_mm[:, None, root].float(),
        visible=visible[:, None],
        camera=camera.to(torch.float32),
        subject=tuple(subject.tolist()),
        action=tuple(action.tolist()),
        image=image,
    )


def only_sample(batch: Batch) -> Sample:
    """The sample of a batch of one."""
    return Sample(
        joints2d=batch.joints2d[0],
        joints3d=batch.joints3d[0],
        root_mm=batch.root_mm[0],
        visible=batch.visible[0],
        camera=batch.camera[0],
        subject=batch.subject[0],
        action=batch.action[0],
        image=None if batch.image is None else batch.image[0],
    )
