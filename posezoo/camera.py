"""Pinhole cameras with Brown distortion, and the world-to-camera transform.

Axes: x right, y down, z forward, millimetres. Pixel centres are integers. A camera of the world
stands at T (its centre, mm) with rotation R: X_cam = R (X_world - T).

The tangential term exists in two versions: the Human3.6M toolbox leaves out a factor 2 that
OpenCV has. `tangential_factor` names which one the numbers were made for (1 or 2), so that either
projects exactly; taking the wrong one is up to 0.85 px off inside a Human3.6M picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_PARAMETERS = 10
_WIDEST = 2.0  # x/z and y/z that `to_rays` gives at most


@dataclass(frozen=True, slots=True)
class Camera:
    """Intrinsics of one camera or of a batch of them, as one tensor that stacks and moves.

    The last axis of `parameters` is fx fy cx cy (px), k1 k2 k3 p1 p2, tangential factor (1 or 2).
    """

    parameters: Tensor  # (..., 10)

    @classmethod
    def make(
        cls,
        *,
        focal_px: tuple[float, float],
        centre_px: tuple[float, float],
        radial: tuple[float, float, float] = (0.0, 0.0, 0.0),
        tangential: tuple[float, float] = (0.0, 0.0),
        tangential_factor: float = 2.0,
    ) -> Camera:
        """One camera from its numbers (float64)."""
        values = (*focal_px, *centre_px, *radial, *tangential, tangential_factor)
        return cls(torch.tensor(values, dtype=torch.float64))

    @classmethod
    def stack(cls, cameras: list[Camera]) -> Camera:
        """A batch from single cameras: parameters (B, 10)."""
        return cls(torch.stack([camera.parameters for camera in cameras]))

    @property
    def focal(self) -> Tensor:
        """(..., 2) px."""
        return self.parameters[..., 0:2]

    @property
    def centre(self) -> Tensor:
        """(..., 2) px, the principal point."""
        return self.parameters[..., 2:4]

    def __getitem__(self, index: int | slice | Tensor) -> Camera:
        return Camera(self.parameters[index])

    def to(self, where: torch.dtype | torch.device | str, *, non_blocking: bool = False) -> Camera:
        """Convert to a type or move to a device."""
        if isinstance(where, torch.dtype):
            return Camera(self.parameters.to(dtype=where))
        return Camera(self.parameters.to(device=where, non_blocking=non_blocking))

    def pin_memory(self) -> Camera:
        """Page-locked copy, for a fast transfer to a GPU."""
        return Camera(self.parameters.pin_memory())

    def project(
        self,
        points: Tensor,  # (..., N, 3) mm, camera frame, z > 0
    ) -> Tensor:  # (..., N, 2) px
        """See points of the camera frame, distortion included."""
        return self.from_rays(points[..., :2] / points[..., 2:])

    def from_rays(
        self,
        rays: Tensor,  # (..., N, 2) x/z, y/z
    ) -> Tensor:  # (..., N, 2) px
        """Where undistorted directions fall on the picture."""
        return self._distort(rays) * self.focal[..., None, :] + self.centre[..., None, :]

    def to_rays(
        self,
        px: Tensor,  # (..., N, 2) px
        iterations: int = 8,
    ) -> Tensor:  # (..., N, 2) x/z, y/z
        """Undistorted directions of pixels, by fixed-point iteration; the inverse of `from_rays`.

        Eight rounds reach 0.001 px inside a picture with Human3.6M's distortion. Far outside of it
        the lens bends no ray to the pixel; the result then stops at 63 degrees, but is a number.
        """
        distorted = (px - self.centre[..., None, :]) / self.focal[..., None, :]
        rays = distorted
        for _ in range(iterations):
            rays = (rays + (distorted - self._distort(rays))).clamp(-_WIDEST, _WIDEST)
        return rays

    def resampled(
        self,
        scale: Tensor,  # (..., 2) or scalar: new px per old px
        offset: Tensor,  # (..., 2) px: where old pixel (0, 0) comes to lie
    ) -> Camera:
        """The camera of a cropped and resized picture: new px = old px * scale + offset.

        Exact: 3D and distortion stay as they are, only focal length and centre change.
        """
        new = self.parameters.clone()
        new[..., 0:2] = self.focal * scale
        new[..., 2:4] = self.centre * scale + offset
        return Camera(new)

    def mirrored(
        self,
        at_px: Tensor | None = None,  # (...) px: new x = 2 at_px - old x; None: the principal point
    ) -> Camera:
        """The camera of a picture that left and right have changed places in.

        Exact: it sees (-x, y, z) where the old camera's mirrored picture has (x, y, z). Pass
        (W - 1) / 2 for a picture flipped in itself; without, the principal point stays.
        """
        new = self.parameters.clone()
        if at_px is not None:
            new[..., 2] = 2 * at_px - self.parameters[..., 2]
        new[..., 8] = -self.parameters[..., 8]
        return Camera(new)

    def rolled(
        self,
        radians: Tensor,  # (...) from x (right) to y (down): clockwise as one sees it
        about_px: Tensor,  # (..., 2) px: what stays where it is in the picture
    ) -> Camera:
        """The camera of a picture turned about one of its points.

        Exact: it sees a scene turned by the same angle about the optical axis. Where fx and fy
        differ the picture is turned in units of the focal length, an affine map.
        """
        cos, sin = torch.cos(radians)[..., None], torch.sin(radians)[..., None]
        new = self.parameters.clone()
        x, y = ((self.centre - about_px) / self.focal).split(1, -1)
        new[..., 2:4] = (
            about_px + torch.cat([cos * x - sin * y, sin * x + cos * y], -1) * self.focal
        )
        p1, p2 = self.parameters[..., 7:9].split(1, -1)  # (p2, p1) turns as a vector
        new[..., 7:9] = torch.cat([sin * p2 + cos * p1, cos * p2 - sin * p1], -1)
        return Camera(new)

    def _distort(self, rays: Tensor) -> Tensor:
        k1, k2, k3, p1, p2, factor = self.parameters[..., None, 4:].unbind(-1)
        x, y = rays.unbind(-1)
        r2 = x * x + y * y
        gain = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + factor * (p1 * y + p2 * x)
        return torch.stack([x * gain + p2 * r2, y * gain + p1 * r2], -1)


def world_to_camera(
    points: Tensor,  # (..., N, 3) mm, world frame
    rotation: Tensor,  # (..., 3, 3) world to camera
    position: Tensor,  # (..., 3) mm, the camera's centre in the world
) -> Tensor:  # (..., N, 3) mm, camera frame
    """X_cam = R (X_world - T)."""
    return (points - position[..., None, :]) @ rotation.transpose(-1, -2)
