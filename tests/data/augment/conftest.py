"""Random people before random cameras, and pictures with a dot at each joint."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.geometry import root_relative

SIDE = 128  # px of the pictures


def _cameras(count: int, uniform: Callable[..., Tensor]) -> Camera:
    """Crops of lenses of all sorts: fx is not fy, either tangential factor, the centre far off.

    Crops reach 50 degrees from the optical axis (a studio's 30), with up to Human3.6M's distortion,
    barrels and cushions.
    """
    focal = uniform(250, 700, (count, 1)) * uniform(0.98, 1.02, (count, 2))
    centre = 63.5 + uniform(-0.6, 0.6, (count, 2)) * focal
    radial = uniform(-1, 1, (count, 3)) * torch.tensor([0.25, 0.25, 0.05])
    tangential = uniform(-0.01, 0.01, (count, 2))
    factor = 1 + (uniform(0, 1, (count, 1)) < 0.5).double()
    return Camera(torch.cat([focal, centre, radial, tangential, factor], -1))


def _dotted(px: Tensor) -> Tensor:  # (B, J, 2) -> (B, 3, SIDE, SIDE)
    line = torch.arange(SIDE)
    to_x, to_y = line - px[..., :1], line - px[..., 1:]
    dots = torch.exp(-(to_x[:, :, None] ** 2 + to_y[..., None] ** 2) / (2 * 2.0**2))
    return (255 * dots.amax(1, keepdim=True)).round().to(torch.uint8).expand(-1, 3, -1, -1)


@pytest.fixture(scope="session")
def scenes() -> Callable[..., Batch]:
    """Make B clips of T frames of 17 joints far apart from each other in a picture of 128 px."""

    @functools.cache
    def make(count: int, *, frames: int = 1, pictures: bool = False) -> Batch:
        generator = torch.Generator().manual_seed(0)

        def uniform(low: float, high: float, shape: tuple[int, ...]) -> Tensor:
            u = torch.rand(shape, generator=generator, dtype=torch.float64)
            return low + (high - low) * u

        camera = _cameras(count, uniform)
        grid = torch.cartesian_prod(torch.arange(4), torch.arange(5))[:17].double()
        px = (grid + 0.5) * torch.tensor([32, 25.6]) - 0.5
        px = px + uniform(-3, 3, (count, frames, 17, 2))
        rays = camera.to_rays(px.flatten(1, 2), beyond="edge").view_as(px)
        depth = uniform(3000, 6000, (count, 1, 1, 1)) + uniform(-400, 400, (count, frames, 17, 1))
        points = torch.cat([rays, torch.ones_like(depth)], -1) * depth
        known = torch.ones(count, frames, 17, dtype=torch.bool)
        # Rays that the lens has not got are none of this test's.
        there = (camera.from_rays(rays.flatten(1, 2)).view_as(px) - px).abs() < 1e-6
        batch = Batch(
            joints2d=px.float(),
            joints3d=root_relative(points).float(),
            root_mm=points[:, :, 0].float(),
            labelled2d=known,
            labelled3d=known,
            visible=known,
            camera=camera.to(torch.float32),
            subject=("anna",) * count,
            action=("stand",) * count,
            sequence=("one",) * count,
            image=_dotted(px[:, 0]) if pictures else None,
        )
        return batch.items(there.flatten(1).all(1))

    return make


def _projected(batch: Batch) -> Tensor:
    points = (batch.joints3d + batch.root_mm[:, :, None]).double()
    return batch.camera.to(torch.float64).project(points.flatten(1, 2)).view_as(batch.joints2d)


@pytest.fixture
def projected() -> Callable[[Batch], Tensor]:
    """Where a batch's camera sees its 3D joints: (B, T, J, 2) px, float64."""
    return _projected
