"""The plain 2D affine of most training code: picture and 2D move, the camera stays. For comparison.

The picture is turned about its middle, zoomed and moved; 3D is turned by the same angle; the camera
is left as it was, which is not true: what it would see is not where the joints now are
(docs/augmentation.md says by how much). Use `roll`, `zoom` and `shift` instead.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

from posezoo.contracts import Batch
from posezoo.data.augment.change import change
from posezoo.data.augment.framing import roll, shift, zoom
from posezoo.data.augment.random_stream import RandomStream
from posezoo.data.augment.view import View, retake
from posezoo.limits import Range, Share
from posezoo.skeleton import Skeleton


@change
class Miscalibrate:
    """Turn, zoom and shift the picture, and claim that the camera has not changed: it has."""

    degrees: Annotated[float, Range(0, 180)] = 30.0
    factor: Annotated[float, Range(1, 16)] = 1.25
    most: Annotated[float, Range(0, 1)] = 0.1
    chance: Share = 1.0

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The changed batch."""
        strength = stream.strength(4, self.chance).to(batch.camera.parameters)
        view = roll(View.of(batch), math.radians(self.degrees) * strength[:, 0])
        view = zoom(view, self.factor ** strength[:, 1:2])
        view = shift(view, self.most * strength[:, 2:])
        return replace(retake(batch, view, skeleton), camera=batch.camera)
