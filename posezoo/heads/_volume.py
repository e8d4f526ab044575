"""A volume of cells around a person: x and y in the picture, z in mm before and behind the root.

Joints measured so are mm only once it is known how far away the person is. That follows from the
camera and from how big people are: the root's depth is such that the squares of the bones' lengths
sum to what they sum to on average in the training data. (Sun et al. 2018 and Pavlakos et al. 2017
fit the sum of the lengths; of the squares there is a closed form.) Somebody taller than that is
taken for nearer, and comes out too small across; z is in mm already.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import Batch, PoseResult
from posezoo.geometry import Grid, cell_affine
from posezoo.skeleton import Skeleton

_BONE_MM = 280.0  # of an adult on average, until training data says better


class Volume(nn.Module):
    """Places of joints in a volume, x and y in px and z in mm, as poses; and how big people are.

    `scale` and `offset` carry cells to places, x first.
    """

    bone_energy: Tensor  # () mm^2, the mean sum of the bones' squared lengths

    def __init__(
        self,
        *,
        skeleton: Skeleton,
        stride: float,  # px per cell
        depth: int,  # cells along z
        depth_mm: float,  # from the first face to the last
        grid: Grid = "centred",
    ) -> None:
        super().__init__()
        across, half_cell = cell_affine(stride, grid)
        step, half_step = cell_affine(depth_mm / depth, grid)
        # A cell of z begins where the one before ends, in mm without px's half.
        half_step = half_step + 0.5 if grid == "centred" else half_step
        self.scale = [across, across, step]
        self.offset = [half_cell, half_cell, half_step - depth_mm / 2]
        self.reach_mm = depth_mm / 2
        self.root, self.bones = skeleton.root, skeleton.bones
        self.register_buffer("bone_energy", torch.tensor(len(self.bones) * _BONE_MM**2))

    @torch.no_grad()
    def fit(
        self,
        joints3d: Tensor,  # (N, J, 3) mm
    ) -> None:
        """Take the size of the people."""
        lengths = torch.stack([joints3d[:, c] - joints3d[:, p] for p, c in self.bones], 1)
        self.bone_energy.copy_(lengths.square().sum((1, 2)).mean())

    def targets(
        self,
        batch: Batch,  # single pictures
    ) -> tuple[Tensor, Tensor]:  # (B, J, 3) px px mm, and (B, J, 3) bool: which of them count
        """True joints. One that is labelled in 2D only, or too deep, counts along x and y."""
        assert batch.image is not None
        places = torch.cat([batch.joints2d[:, 0], batch.joints3d[:, 0, :, 2:]], -1)
        limit = torch.tensor(batch.image.shape[:1:-1], device=places.device)  # W, H
        seen = ((places[..., :2] >= -0.5) & (places[..., :2] <= limit - 0.5)).all(-1)
        seen = seen & batch.labelled2d[:, 0]
        deep = seen & batch.labelled3d[:, 0] & (places[..., 2].abs() <= self.reach_mm)
        return places, torch.stack([seen, seen, deep], -1)

    def pose(
        self,
        places: Tensor,  # (B, J, 3) px px mm
        camera: Camera,  # parameters (B, 10)
        confidence: Tensor,  # (B, J)
    ) -> PoseResult:  # joints2d (B, 1, J, 2) px, joints3d (B, 1, J, 3) mm
        """Back through the camera, with the root at the depth that makes the bones fit."""
        joints2d, z = places[..., :2], places[..., 2]
        z = z - z[:, self.root, None]
        rays = torch.cat([camera.to_rays(joints2d), torch.ones_like(z)[..., None]], -1)
        # Relative at once: far away, a difference of two absolute places would be rounding alone.
        across = rays - rays[:, self.root, None]
        joints3d = self._root_depth(rays, z)[:, None, None] * across + z[..., None] * rays
        return PoseResult(
            joints2d=joints2d[:, None], joints3d=joints3d[:, None], confidence=confidence
        )

    def _root_depth(
        self,
        rays: Tensor,  # (B, J, 3) x/z, y/z, 1
        z: Tensor,  # (B, J) mm, of each joint from the root
    ) -> Tensor:  # (B,) mm
        """Joint j lies at (Z + z_j) ray_j, so a bone is Z a + c: sum |Z a + c|^2 is quadratic."""
        parents, children = (list(side) for side in zip(*self.bones, strict=True))
        offsets = rays * z[..., None]
        a = rays[:, children] - rays[:, parents]
        c = offsets[:, children] - offsets[:, parents]
        aa, ac, cc = (each.sum((1, 2)) for each in (a * a, a * c, c * c))
        aa = aa.clamp_min(1e-12)
        inner = (ac * ac - aa * (cc - self.bone_energy)).clamp_min(0)
        nearest = -z.amin(1) + 1  # nobody stands behind the camera
        return torch.maximum((inner.sqrt() - ac) / aa, nearest)
