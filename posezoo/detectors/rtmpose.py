"""RTMPose through `rtmlib`: YOLOX finds people, RTMPose their joints; both are ONNX files.

T. Jiang et al., RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose, arXiv:2303.07399.
rtmlib fetches the files the first time. They are Apache-2.0, and were trained on data of more
restrictive terms.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from posezoo.contracts import DetectedPerson


class RtmPose:
    """See `posezoo.contracts.Detector`.

    Args:
        mode: which of rtmlib's sets of files.
        feet: 26 joints of Halpe in place of COCO's 17.
        device: as onnxruntime calls it.
    """

    def __init__(
        self,
        *,
        mode: Literal["lightweight", "balanced", "performance"],
        feet: bool = False,
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> None:
        import rtmlib  # noqa: PLC0415 - an extra

        model = (rtmlib.BodyWithFeet if feet else rtmlib.Body)(
            mode=mode, backend="onnxruntime", device=device
        )
        self.joint_set = "halpe26" if feet else "coco17"
        self._find, self._look = model.det_model, model.pose_model

    def __call__(
        self,
        picture: Tensor,  # (H, W, 3) uint8 RGB
        *,
        boxes: Tensor | None = None,  # (P, 4) px: one person in each; None: look for people
    ) -> list[DetectedPerson]:  # the surest first; of `boxes`, one each, in their order
        """Find people, or the one in each box."""
        blue_first = np.ascontiguousarray(picture.cpu().numpy()[..., ::-1])  # as OpenCV reads
        if boxes is None:
            corners = np.asarray(self._find(blue_first), np.float32).reshape(-1, 4)
        else:
            corners = torch.cat((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), 1).cpu().numpy()
        if not len(corners):  # rtmlib would take the whole picture
            return []
        found, sure = self._look(blue_first, bboxes=corners.tolist())
        joints = torch.from_numpy(np.asarray(found)).float()
        confidence = torch.from_numpy(np.asarray(sure)).float().clamp(0, 1)  # peaks may pass 1
        rows = torch.from_numpy(corners).float()
        people = [
            DetectedPerson(
                box_px=torch.cat((row[:2], row[2:] - row[:2])),
                score=float(certain.mean()),
                joints2d=places,
                confidence=certain,
            )
            for row, places, certain in zip(rows, joints, confidence, strict=True)
        ]
        return people if boxes is not None else sorted(people, key=lambda each: -each.score)
