"""What a detector found on a store's pictures, in the joints of the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from posezoo.data.store.store_file import Detection, StoreFile
from posezoo.joint_maps import JointMap, joint_map, map_confidence, map_joints
from posezoo.skeleton import Skeleton

_CHUNK = 65536  # items looked at together, to keep memory small


@dataclass(frozen=True, slots=True)
class DetectedJoints:
    """A detection, mapped to a joint set."""

    detection: Detection
    skeleton: Skeleton
    estimate: bool  # also joints that the detection's set lacks

    @classmethod
    def of(cls, store: StoreFile, name: str, estimate: bool = False) -> Self:
        """The detection of that name in the joints of the store, its numbers checked.

        Raises:
            ValueError: there is none, or its numbers are none.
        """
        detection = store.detection(name)
        px, sure = detection.px.array, detection.confidence.array
        for start in range(0, len(px), _CHUNK):
            part = slice(start, start + _CHUNK)
            known = np.isfinite(px[part]).all(-1)
            fits = (known == (sure[part] > 0)) & (sure[part] >= 0) & (sure[part] <= 1)
            if not fits.all():
                item = start + int(np.flatnonzero(~fits.all(-1))[0])
                raise ValueError(
                    f"{store.path}: detection {name} of item {item} has a confidence outside 0 to "
                    "1, or a place without one; add it anew (posezoo data detections)"
                )
        return cls(detection, store.skeleton, estimate)

    @property
    def map(self) -> JointMap:
        """How its joint set becomes the store's."""
        return joint_map(self.detection.skeleton, self.skeleton, estimate=self.estimate)

    def rows(
        self,
        items: np.ndarray,  # (...) numbers of items
    ) -> tuple[Tensor, Tensor]:  # (..., J, 2) px, NaN where unknown; (..., J) 0 to 1, 0 there
        """What was found of those items."""
        px = torch.from_numpy(self.detection.px.array[items].astype(np.float64))
        sure = torch.from_numpy(self.detection.confidence.array[items].astype(np.float64))
        sets = self.detection.skeleton, self.skeleton
        px, _ = map_joints(px, *sets, estimate=self.estimate)
        sure = map_confidence(sure, *sets, estimate=self.estimate)
        # A sum over joints of which one was not found, though it hardly counts, has no place.
        sure = sure.where(px.isfinite().all(-1), 0)
        return px.masked_fill((sure == 0)[..., None], torch.nan), sure
