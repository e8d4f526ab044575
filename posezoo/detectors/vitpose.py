"""ViTPose through `transformers`: 17 joints of COCO in boxes that are given, or found by another.

Y. Xu et al., ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation,
arXiv:2204.12484. It looks at one person; `people` names a model of transformers that finds them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from posezoo.contracts import DetectedPerson
from posezoo.limits import Share

_PERSON = "person"  # COCO's label, by which every detector of transformers calls people


class VitPose(nn.Module):
    """See `posezoo.contracts.Detector`. Folders and names of the Hugging Face hub are both taken.

    Args:
        model: such as usyd-community/vitpose-base-simple.
        people: who finds people, such as PekingU/rtdetr_r50vd_coco_o365; empty: give boxes.
        least_score: how sure that one must be.
    """

    joint_set = "coco17"

    def __init__(self, *, model: str, people: str = "", least_score: Share = 0.5) -> None:
        import transformers  # noqa: PLC0415 - an extra

        super().__init__()
        self.least_score = least_score
        self.pose: Any = transformers.VitPoseForPoseEstimation.from_pretrained(model)
        self._crops: Any = transformers.AutoImageProcessor.from_pretrained(model)
        self.people: Any = None
        if people:
            find = transformers.AutoModelForObjectDetection
            self.people = find.from_pretrained(people)
            self._whole: Any = transformers.AutoImageProcessor.from_pretrained(people)
        self.eval()

    @torch.no_grad()
    def forward(
        self,
        picture: Tensor,  # (H, W, 3) uint8 RGB
        *,
        boxes: Tensor | None = None,  # (P, 4) px: one person in each; None: look for people
    ) -> list[DetectedPerson]:  # the surest first; of `boxes`, one each, in their order
        """Find people, or the one in each box.

        Raises:
            ValueError: no boxes, and nobody who finds people.
        """
        given = boxes is not None
        rows = self._found(picture) if boxes is None else boxes.cpu().float()
        if not len(rows):
            return []
        inputs = self._crops(
            picture.cpu().numpy(),
            boxes=[rows.numpy()],
            input_data_format="channels_last",
            return_tensors="pt",
        )
        outputs = self.pose(**inputs.to(self.pose.device))
        (found,) = self._crops.post_process_pose_estimation(outputs, boxes=[rows.numpy()])
        people = [
            DetectedPerson(
                box_px=row,
                score=float(each["scores"].clamp(0, 1).mean()),
                joints2d=each["keypoints"].float(),
                confidence=each["scores"].float().clamp(0, 1),
            )
            for row, each in zip(rows, found, strict=True)
        ]
        return people if given else sorted(people, key=lambda each: -each.score)

    def _found(self, picture: Tensor) -> Tensor:  # (P, 4) px
        if self.people is None:
            raise ValueError(
                "vitpose looks at one person in a box: give boxes, or a model that finds people, "
                "people=PekingU/rtdetr_r50vd_coco_o365"
            )
        inputs = self._whole(
            picture.cpu().numpy(), input_data_format="channels_last", return_tensors="pt"
        ).to(self.people.device)
        (found,) = self._whole.post_process_object_detection(
            self.people(**inputs), threshold=self.least_score, target_sizes=[picture.shape[:2]]
        )
        names = self.people.config.id2label
        chosen = [names[int(label)] == _PERSON for label in found["labels"]]
        corners = found["boxes"][torch.tensor(chosen, dtype=torch.bool)].cpu().float()
        return torch.cat((corners[:, :2], corners[:, 2:] - corners[:, :2]), 1)
