"""A small residual perceptron from 2D joints to 3D joints, frame by frame.

It is told rays, and answers in z-scores: `Normalisation` holds the statistics of the training data
as buffers, so they are saved with the weights.
"""

from __future__ import annotations

from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.normalisation import Normalisation
from posezoo.skeleton import Skeleton


class MyEntry(nn.Module):
    """Linear, then residual blocks of (linear, layer norm, ReLU), then linear."""

    frames, future, takes_confidence = 1, 0, False

    def __init__(self, *, skeleton: Skeleton, width: int = 256, blocks: int = 2) -> None:
        super().__init__()
        self.normalisation = Normalisation(skeleton=skeleton, input="rays", loss="mpjpe")
        self.stem = nn.Linear(self.normalisation.num_inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU())
            for _ in range(blocks)
        )
        self.out = nn.Linear(width, self.normalisation.num_outputs)

    def forward(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px
        camera: Camera,  # parameters (B, 10)
    ) -> Tensor:  # (B, T, J, 3) mm, camera frame, root exactly 0
        """Lift each frame by itself."""
        inputs, to_camera = self.normalisation.inputs(joints2d, camera)
        x = self.stem(inputs)
        for block in self.blocks:
            x = x + block(x)
        return self.normalisation.joints3d(self.out(x), to_camera)

    def loss(
        self,
        predicted: Tensor,  # (B, T, J, 3) mm
        batch: Batch,  # of the same frames
    ) -> Tensor:  # scalar, mm
        """The mean distance of the labelled joints."""
        return self.normalisation.loss(predicted, batch)

    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take the statistics of training data, once."""
        self.normalisation.fit(batch)
