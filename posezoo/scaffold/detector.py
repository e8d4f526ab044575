"""A silhouette: whatever differs from the background's colour is one standing person.

For a first try, and for tests: nothing is learned. Replace `_joints` by a network, load its weights
in the constructor, and end that in self.eval().
"""

from __future__ import annotations

import torch
from torch import Tensor

from posezoo.contracts import DetectedPerson

# Where the 17 joints of Human3.6M are in the box of somebody who stands and faces us: shares of its
# width and height, from the top left.
_STANDING = (
    (0.50, 0.52), (0.38, 0.52), (0.37, 0.75), (0.36, 0.97),
    (0.62, 0.52), (0.63, 0.75), (0.64, 0.97),
    (0.50, 0.38), (0.50, 0.20), (0.50, 0.12), (0.50, 0.02),
    (0.72, 0.20), (0.85, 0.36), (0.95, 0.50), (0.28, 0.20), (0.15, 0.36), (0.05, 0.50),
)  # fmt: skip


class MyEntry:
    """See `posezoo.contracts.Detector`; `contrast` is in grey levels, 0 to 255."""

    joint_set = "h36m17"

    def __init__(self, *, contrast: float = 60.0) -> None:
        if contrast <= 0:
            raise ValueError(f"contrast={contrast:g}: expected more than 0")
        self.contrast = contrast

    def __call__(
        self,
        picture: Tensor,  # (H, W, 3) uint8 RGB
        *,
        boxes: Tensor | None = None,  # (P, 4) px: one person in each; None: look for people
    ) -> list[DetectedPerson]:  # the surest first; of `boxes`, one each, in their order
        """Put a standing person into the silhouette, or into each box."""
        if boxes is None:
            boxes = self._silhouette(picture)
        return [self._joints(box) for box in boxes.float()]

    def _silhouette(self, picture: Tensor) -> Tensor:  # (0 or 1, 4) px
        colours = picture.flatten(0, 1).float()
        differs = (colours - colours.median(0).values).abs().amax(-1) > self.contrast
        rows, columns = torch.nonzero(differs.view(picture.shape[:2]), as_tuple=True)
        if not len(rows):
            return torch.empty(0, 4)
        left, top, right, bottom = columns.min(), rows.min(), columns.max(), rows.max()
        return torch.stack((left, top, right - left, bottom - top))[None]

    def _joints(
        self,
        box: Tensor,  # (4,) px
    ) -> DetectedPerson:
        joints2d = box[:2] + torch.tensor(_STANDING) * box[2:]
        return DetectedPerson(
            box_px=box, score=0.5, joints2d=joints2d, confidence=torch.full((len(joints2d),), 0.5)
        )
