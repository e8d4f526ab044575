"""A body model's parameters from a picture, and the joints that the body then has.

HMR, Kanazawa et al. 2018, "End-to-end Recovery of Human Shape and Pose", arXiv:1712.06584: from the
pooled features a perceptron corrects its own estimate three times. The estimate is 24 rotations,
10 numbers of shape and a weak-perspective camera; losses are on the joints that SMPL makes of it,
in 3D and projected. As in Pavlakos et al. 2018, arXiv:1805.04092, the 3D joints suffice to learn.
Whether a body is possible is the business of `separate:prior=FILE`. Differs from HMR: rotations are
6 numbers (Zhou et al. 2019, arXiv:1812.07035), the start is the model at rest, upright, in place of
a mean over its data, and the camera is in px of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from posezoo import losses
from posezoo.camera import Camera
from posezoo.contracts import Batch, FeatureSpec, PoseResult
from posezoo.geometry import root_relative
from posezoo.heads._body_model import NUM_ROTATIONS, NUM_SHAPE, BodyModel
from posezoo.heads._body_prior import BodyPrior
from posezoo.limits import Dropout, Layers, Width
from posezoo.skeleton import Skeleton

_PX_PER_MM = 0.1  # at the start, until the statistics say what people look like
_MM = 1000.0
_NUMBERS = 6 * NUM_ROTATIONS + NUM_SHAPE + 3


@dataclass(frozen=True, slots=True)
class Body:
    """What the network says of a person."""

    rotations: Tensor  # (B, 24, 3, 3): the first turns the upright model into the camera frame
    shape: Tensor  # (B, 10) standard deviations
    px_per_mm: Tensor  # (B, 1)
    root_px: Tensor  # (B, 2): where the root is seen


class SmplHead(nn.Module):
    """Mean of the last feature map over the picture, then a body, three times corrected.

    Args:
        features: of the backbone.
        num_joints: of the pose.
        skeleton: whose joints the body is asked for.
        model: an .npz with the arrays of an SMPL file (docs/body_models.md).
        width: channels of the two hidden layers.
        dropout: probability, after each of them.
        corrections: how often the estimate is corrected.
        prior: hold a network that tells bodies of this head from real ones.
    """

    output = "joints3d"
    start: Tensor  # (157,) the first estimate
    camera_start: Tensor  # (3,) px per mm, and the root in px: the mean of the training data
    camera_unit: Tensor  # (3,) their spread there, in which the network's answers are

    def __init__(
        self,
        *,
        features: tuple[FeatureSpec, ...],
        num_joints: int,
        skeleton: Skeleton,
        model: str,
        width: Width = 1024,
        dropout: Dropout = 0.5,
        corrections: Layers = 3,
        prior: bool = False,
    ) -> None:
        super().__init__()
        self.root, self.corrections = skeleton.root, corrections
        self.body = BodyModel(Path(model), skeleton)
        self.prior = BodyPrior() if prior else None
        last = nn.Linear(width, _NUMBERS)
        nn.init.xavier_uniform_(last.weight, gain=0.01)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(
            nn.Linear(features[-1].channels + _NUMBERS, width),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.Dropout(dropout),
            last,
        )
        upright = torch.eye(3)[:2].repeat(NUM_ROTATIONS, 1, 1)
        upright[0, 1, 1] = -1  # the model stands with y up, the camera's y points down
        start = torch.cat([upright.flatten(), torch.zeros(NUM_SHAPE + 3)])
        self.register_buffer("start", start)
        self.register_buffer("camera_start", torch.tensor([_PX_PER_MM, 0.0, 0.0]))
        self.register_buffer("camera_unit", torch.tensor([_PX_PER_MM, 1.0, 1.0]))

    def forward(
        self,
        features: tuple[Tensor, ...],  # the last: (B, C, H / s, W / s)
    ) -> Tensor:  # (B, 157): 24 x 6 of the rotations, 10 of the shape, 3 of the camera
        """Correct the estimate, seeing the features and the estimate itself."""
        seen = features[-1].mean((-2, -1))
        estimate = self.start.to(seen.dtype).expand(len(seen), -1)
        for _ in range(self.corrections):
            estimate = estimate + self.layers(torch.cat([seen, estimate], -1))
        return estimate

    def bodies(
        self,
        maps: Tensor,  # (B, 157)
    ) -> Body:
        """What the raw numbers mean."""
        turns, shape, camera = maps.float().split([6 * NUM_ROTATIONS, NUM_SHAPE, 3], -1)
        camera = self.camera_start + camera * self.camera_unit
        return Body(
            rotations=_rotations(turns.unflatten(-1, (NUM_ROTATIONS, 2, 3))),
            shape=shape,
            px_per_mm=camera[:, :1],
            root_px=camera[:, 1:],
        )

    def loss(
        self,
        maps: Tensor,  # (B, 157)
        batch: Batch,  # single pictures; joints not labelled do not count
    ) -> Tensor:  # scalar: m^2, and half the picture's height
        """Squared error of the 3D joints and absolute error of the projected ones, as in HMR."""
        joints3d, joints2d = self._joints(self.bodies(maps))
        assert batch.image is not None
        half = batch.image.shape[-2] / 2
        in_space = losses.squared_error(
            joints3d / _MM, batch.joints3d[:, 0] / _MM, batch.labelled3d[:, 0]
        )
        in_picture = losses.absolute_error(
            joints2d / half, batch.joints2d[:, 0] / half, batch.labelled2d[:, 0]
        )
        return in_space + in_picture

    def decode(
        self,
        maps: Tensor,  # (B, 157)
        camera: Camera,  # parameters (B, 10); the network guesses its own, a weak-perspective one
    ) -> PoseResult:  # joints2d px, joints3d (B, 1, J, 3) mm, root exactly 0, confidence (B, J)
        """The body's joints; the confidence is 1 throughout: the network states no doubt."""
        joints3d, joints2d = self._joints(self.bodies(maps))
        return PoseResult(
            joints2d=joints2d[:, None],
            joints3d=joints3d[:, None],
            confidence=torch.ones_like(joints3d[..., 0]),
        )

    @torch.no_grad()
    def fit_normalisation(
        self,
        batch: Batch,  # every joint labelled
    ) -> None:
        """Take how large people are in the picture, and where their root is."""
        root_px = batch.joints2d[..., self.root, :].flatten(0, 1)
        seen, true = (
            (joints - joints[..., self.root : self.root + 1, :]).flatten(0, 1)
            for joints in (batch.joints2d, batch.joints3d[..., :2])
        )
        scales = (seen * true).sum((-2, -1)) / true.square().sum((-2, -1)).clamp_min(1e-6)
        camera = torch.cat([scales[:, None], root_px], -1)
        self.camera_start.copy_(camera.mean(0))
        self.camera_unit.copy_(camera.std(0, correction=0).clamp_min(1e-6))

    def _joints(self, body: Body) -> tuple[Tensor, Tensor]:
        """(B, J, 3) mm, root exactly 0, and (B, J, 2) px."""
        joints3d = root_relative(self.body(body.rotations, body.shape), self.root)
        joints2d = joints3d[..., :2] * body.px_per_mm[..., None] + body.root_px[:, None]
        return joints3d, joints2d


def _rotations(
    pairs: Tensor,  # (..., 2, 3): the first two rows, of any length and angle
) -> Tensor:  # (..., 3, 3)
    """The nearest rotation in Gram and Schmidt's sense."""
    first, second = pairs.unbind(-2)
    x = functional.normalize(first, dim=-1)
    y = functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -2)
