"""What importers give to a store: one person filmed by one camera, frame after frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posezoo.contracts import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseSequence:
    """F frames of one person in one sequence, seen by one camera.

    Joints without a label hold zeros, as does `root_mm` where nothing is known in 3D; the camera
    must be plausible even then.
    """

    joints2d_px: NDArray[np.floating]  # (F, J, 2) px of the whole picture as its file holds it
    joints3d_mm: NDArray[np.floating]  # (F, J, 3) mm, camera frame, root-relative
    root_mm: NDArray[np.floating]  # (F, 3) mm, camera frame
    labelled2d: NDArray[np.bool_]  # (F, J)
    labelled3d: NDArray[np.bool_]  # (F, J)
    visible: NDArray[np.bool_]  # (F, J)
    camera: NDArray[np.float64]  # (10,) or (F, 10): parameters of posezoo.camera.Camera
    subject: str
    action: str
    sequence: str  # one unbroken recording; those of it by other cameras share its name
    view: str  # the camera's name
    frame: NDArray[np.integer]  # (F,) of the source, rising
    pictures: Sequence[bytes] | None = None  # JPEG or PNG, one per frame

    @classmethod
    def single(cls, sample: Sample, picture: bytes | None, *, sequence: str) -> PoseSequence:
        """A sample of one frame, with its whole picture, as a clip of its own."""
        return cls(
            joints2d_px=sample.joints2d.numpy(),
            joints3d_mm=sample.joints3d.numpy(),
            root_mm=sample.root_mm.numpy(),
            labelled2d=sample.labelled2d.numpy(),
            labelled3d=sample.labelled3d.numpy(),
            visible=sample.visible.numpy(),
            camera=sample.camera.parameters.double().numpy(),
            subject=sample.subject,
            action=sample.action,
            sequence=sequence,
            view="",
            frame=np.zeros(1, np.int64),
            pictures=None if picture is None else [picture],
        )

    def __len__(self) -> int:
        return len(self.frame)
