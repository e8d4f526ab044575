"""Putting poses of the camera frame into a `Batch`, and taking samples out of datasets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Batch, Dataset, Sample
from posezoo.geometry import root_relative


def make_batch(
    *,
    joints_mm: Tensor,  # (N, T, J, 3) mm, camera frame, absolute
    joints2d: Tensor,  # (N, T, J, 2) px
    visible: Tensor,  # (N, T, J) bool
    camera: Camera,  # parameters (N, 10): the camera of those pixels
    subject: NDArray[np.str_],  # (N,) of str
    action: NDArray[np.str_],  # (N,) of str
    sequence: NDArray[np.str_] | None = None,  # (N,) of str; None: single poses
    frame: NDArray[np.integer] | None = None,  # (N,) of the sequence; None: not known
    labelled2d: Tensor | None = None,  # (N, T, J) bool; None: all
    labelled3d: Tensor | None = None,  # (N, T, J) bool; None: all
    image: Tensor | None = None,  # (N, 3, H, W) uint8 RGB
    confidence: Tensor | None = None,  # (N, T, J) of a detector; None: joints2d are true
    root: int = 0,
) -> Batch:
    """Clips as a float32 batch."""
    known = torch.ones_like(visible)
    return Batch(
        joints2d=joints2d.float(),
        joints3d=root_relative(joints_mm, root).float(),
        root_mm=joints_mm[:, :, root].float(),
        labelled2d=known if labelled2d is None else labelled2d,
        labelled3d=known if labelled3d is None else labelled3d,
        visible=visible,
        camera=camera.to(torch.float32),
        subject=tuple(subject.tolist()),
        action=tuple(action.tolist()),
        sequence=("",) * len(subject) if sequence is None else tuple(sequence.tolist()),
        frame=() if frame is None else tuple(frame.tolist()),
        image=image,
        confidence=None if confidence is None else confidence.float(),
    )


def only_sample(batch: Batch) -> Sample:
    """The sample of a batch of one."""
    return Sample(
        joints2d=batch.joints2d[0],
        joints3d=batch.joints3d[0],
        root_mm=batch.root_mm[0],
        labelled2d=batch.labelled2d[0],
        labelled3d=batch.labelled3d[0],
        visible=batch.visible[0],
        camera=batch.camera[0],
        subject=batch.subject[0],
        action=batch.action[0],
        sequence=batch.sequence[0],
        frame=batch.frame[0] if batch.frame else -1,
        image=None if batch.image is None else batch.image[0],
        confidence=None if batch.confidence is None else batch.confidence[0],
    )


def labels2d(dataset: Dataset, indices: Sequence[int]) -> Tensor:  # (N, T, J) bool
    """Which 2D joints of the items are known; without their pictures, if the dataset can."""
    if hasattr(dataset, "labels2d"):
        known: Tensor = dataset.labels2d(indices)
        return known
    return take(dataset, indices).labelled2d


def take(dataset: Dataset, indices: Sequence[int]) -> Batch:
    """Items of any dataset as a batch: at once where it can do that, else one by one."""
    if hasattr(dataset, "__getitems__"):
        batch: Batch = dataset.__getitems__(indices)
        return batch
    return Batch.collate([dataset[index] for index in indices])
