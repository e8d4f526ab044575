"""Keypoint R-CNN of torchvision: people and 17 joints of COCO by one network.

K. He et al., Mask R-CNN, arXiv:1703.06870. torchvision fetches its weights the first time.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from posezoo.contracts import DetectedPerson
from posezoo.limits import Share


class KeypointRcnn(nn.Module):
    """See `posezoo.contracts.Detector`.

    Args:
        weights: "default" are torchvision's, trained on COCO; "none" are random.
        least_score: how sure a person must be.
    """

    joint_set = "coco17"

    def __init__(self, *, weights: Literal["default", "none"], least_score: Share = 0.5) -> None:
        from torchvision.models import detection  # noqa: PLC0415 - an extra

        super().__init__()
        named = {"weights": "DEFAULT"} if weights == "default" else {"weights_backbone": None}
        self.network: Any = detection.keypointrcnn_resnet50_fpn(**named)
        self.least_score = least_score
        self.eval()

    @torch.no_grad()
    def forward(
        self,
        picture: Tensor,  # (H, W, 3) uint8 RGB
        *,
        boxes: Tensor | None = None,  # (P, 4) px: one person in each; None: look for people
    ) -> list[DetectedPerson]:  # the surest first; of `boxes`, one each, in their order
        """Find people, or the one in each box."""
        device = next(self.network.parameters()).device
        image = picture.permute(2, 0, 1).to(device).float() / 255
        if boxes is None:
            (found,) = self.network([image])
            sure = found["scores"] >= self.least_score
            found = {name: value[sure] for name, value in found.items()}
        else:
            found = self._in_boxes(image, boxes.to(device).float())
        corners = found["boxes"].cpu()
        return [
            DetectedPerson(
                box_px=torch.cat((row[:2], row[2:] - row[:2])),
                score=float(score),
                joints2d=joints[:, :2],
                confidence=logits.sigmoid(),
            )
            for row, score, joints, logits in zip(
                corners,
                found["scores"].cpu(),
                found["keypoints"].cpu(),
                found["keypoints_scores"].cpu(),
                strict=True,
            )
        ]

    def _in_boxes(self, image: Tensor, boxes: Tensor) -> dict[str, Tensor]:
        """The network's last part alone, on given boxes."""
        from torchvision.models.detection.roi_heads import keypointrcnn_inference  # noqa: PLC0415

        corners = torch.cat((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), 1)
        if not len(boxes):
            none = corners.new_empty(0)
            return {"boxes": corners, "scores": none, "keypoints": none, "keypoints_scores": none}
        height, width = image.shape[-2:]
        images, _ = self.network.transform([image])
        (size,) = images.image_sizes
        scale = corners.new_tensor([size[1] / width, size[0] / height] * 2)
        heads = self.network.roi_heads
        features = heads.keypoint_roi_pool(
            self.network.backbone(images.tensors), [corners * scale], images.image_sizes
        )
        maps = heads.keypoint_predictor(heads.keypoint_head(features))
        (joints,), (logits,) = keypointrcnn_inference(maps, [corners * scale])
        joints[..., :2] = joints[..., :2] / scale[:2]
        scores = logits.sigmoid().mean(1)
        return {"boxes": corners, "scores": scores, "keypoints": joints, "keypoints_scores": logits}
