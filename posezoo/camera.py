"""Pinhole cameras with Brown distortion, and the world-to-camera transform.

Axes: x right, y down, z forward, millimetres. Pixel centres are integers. A camera of the world
stands at T (its centre, mm) with rotation R: X_cam = R (X_world - T).

The tangential term exists in two versions: the Human3.6M toolbox leaves out a factor 2 that
OpenCV has. `tangential_factor` names which one the numbers were made for (1 or 2), so that either
projects exactly; taking the wrong one is up to 0.85 px off inside a Human3.6M picture. Nobody knows
the lens of a camera that is only guessed: it has no distortion, and 0 there says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

_PARAMETERS = 10
_WIDEST = 2.0  # x/z that `to_rays` gives at most: 63 degrees from the axis
_NEWTON_STEPS = 12  # at most: real lenses take 5; all of them in a graph, and on a GPU
_LONGEST_STEP, _FLAT = 0.5, 1e-4  # where the lens hardly bends outwards, Newton's step is too long
_ROUNDINGS = 64  # roundings that a ray may be off by and still be found
_EDGE_PLACES = 201


@dataclass(frozen=True, slots=True)
class Camera:
    """Intrinsics of one camera or of a batch of them, as one tensor that stacks and moves.

    The last axis of `parameters` is fx fy cx cy (px), k1 k2 k3 p1 p2, tangential factor (1 or 2;
    0 of a camera whose focal length is a guess and whose lens is not known).
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
        """One camera from its numbers (float64).

        Example:
            >>> Camera.make(focal_px=(1000, 1000), centre_px=(500, 400)).centre.tolist()
            [500.0, 400.0]
        """
        values = (*focal_px, *centre_px, *radial, *tangential, tangential_factor)
        return cls(torch.tensor(values, dtype=torch.float64))

    @classmethod
    def stack(cls, cameras: list[Camera]) -> Camera:
        """A batch from single cameras: parameters (B, 10).

        Example:
            >>> camera = Camera.make(focal_px=(1000, 1000), centre_px=(500, 400))
            >>> Camera.stack([camera, camera]).parameters.shape
            torch.Size([2, 10])
        """
        return cls(torch.stack([camera.parameters for camera in cameras]))

    @classmethod
    def guess(cls, *, focal_px: float, centre_px: tuple[float, float]) -> Camera:
        """One camera of which nobody knows the numbers, and which says so (float64).

        Example:
            >>> Camera.guess(focal_px=1000, centre_px=(500, 400)).guessed.item()
            True
        """
        focal = (focal_px, focal_px)
        return cls.make(focal_px=focal, centre_px=centre_px, tangential_factor=0.0)

    @property
    def guessed(self) -> Tensor:
        """(...) bool: the focal length is a guess."""
        return self.parameters[..., 9] == 0

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
        """See points of the camera frame, distortion included.

        Example:
            >>> camera = Camera.make(focal_px=(1000, 1000), centre_px=(500, 400))
            >>> point = torch.tensor([[400.0, -200.0, 4000.0]])  # 0.1 and -0.05 of its depth
            >>> camera.project(point).round()
            tensor([[600., 350.]], dtype=torch.float64)
        """
        return self.from_rays(points[..., :2] / points[..., 2:])

    def from_rays(
        self,
        rays: Tensor,  # (..., N, 2) x/z, y/z
    ) -> Tensor:  # (..., N, 2) px
        """Where undistorted directions fall on the picture.

        Example:
            >>> camera = Camera.make(focal_px=(1000, 1000), centre_px=(500, 400))
            >>> camera.from_rays(torch.tensor([[0.1, -0.05]])).round()
            tensor([[600., 350.]], dtype=torch.float64)
        """
        return self._distort(rays) * self.focal[..., None, :] + self.centre[..., None, :]

    def to_rays(
        self,
        px: Tensor,  # (..., N, 2) px
        *,
        beyond: Literal["nan", "edge"] = "nan",
    ) -> Tensor:  # (..., N, 2) x/z, y/z
        """Undistorted directions of pixels, by Newton's method; the inverse of `from_rays`.

        A polynomial lens folds its picture over at some angle from the axis: to pixels outside it
        bends no ray, to others two, of which this gives the inner one.

        Args:
            px: pixels, anywhere.
            beyond: what a pixel gets that has no ray within 63 degrees of the axis: NaN, or the
                direction in which it lies, at the edge of what the lens can see.

        Example:
            >>> camera = Camera.make(focal_px=(1000, 1000), centre_px=(500, 400))
            >>> camera.to_rays(torch.tensor([[600.0, 350.0]]).double())
            tensor([[ 0.1000, -0.0500]], dtype=torch.float64)
        """
        distorted = (px - self.centre[..., None, :]) / self.focal[..., None, :]
        rounding = torch.finfo(distorted.dtype).eps * (1 + distorted.abs().amax(-1))
        (x, y), (wanted_x, wanted_y) = distorted.unbind(-1), distorted.unbind(-1)
        for _ in range(_NEWTON_STEPS):
            seen_x, seen_y, xx, xy, yx, yy = self._linearised(x, y)
            dx, dy = wanted_x - seen_x, wanted_y - seen_y
            if _may_look(dx) and not (dx.abs() + dy.abs() > rounding).any():
                break  # most lenses bend little, or not at all
            det = xx * yy - xy * yx
            det = torch.where(det.abs() > _FLAT, det, _FLAT)
            along_x, along_y = (yy * dx - xy * dy) / det, (xx * dy - yx * dx) / det
            x = (x + along_x.clamp(-_LONGEST_STEP, _LONGEST_STEP)).clamp(-_WIDEST, _WIDEST)
            y = (y + along_y.clamp(-_LONGEST_STEP, _LONGEST_STEP)).clamp(-_WIDEST, _WIDEST)
        rays = torch.stack([x, y], -1)
        radius, edge = rays.norm(dim=-1), self._edge()
        miss = (self._distort(rays) - distorted).abs().amax(-1)
        found = (miss <= _ROUNDINGS * rounding) & (radius <= edge[..., None])
        if beyond == "nan":
            return rays.where(found[..., None], torch.nan)
        length = distorted.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(rays.dtype).tiny)
        return rays.where(found[..., None], distorted / length * edge[..., None, None])

    def resampled(
        self,
        scale: Tensor,  # (..., 2) or scalar: new px per old px
        offset: Tensor,  # (..., 2) px: where old pixel (0, 0) comes to lie
    ) -> Camera:
        """The camera of a cropped and resized picture: new px = old px * scale + offset.

        Exact: 3D and distortion stay as they are, only focal length and centre change.

        Example:
            >>> camera = Camera.make(focal_px=(1000, 1000), centre_px=(500, 400))
            >>> half = camera.resampled(torch.tensor(0.5), torch.tensor([-100.0, 0.0]))
            >>> half.focal.tolist(), half.centre.tolist()
            ([500.0, 500.0], [150.0, 200.0])
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

        Example:
            >>> camera = Camera.make(focal_px=(1000, 1000), centre_px=(500, 400))
            >>> camera.mirrored(torch.tensor(499.5)).centre.tolist()  # the middle of 1000 px
            [499.0, 400.0]
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

        Example:
            >>> camera = Camera.make(focal_px=(1000, 1000), centre_px=(500, 400))
            >>> quarter = torch.tensor(torch.pi / 2)
            >>> camera.rolled(quarter, about_px=torch.tensor([500.0, 500.0])).centre.round()
            tensor([600., 500.], dtype=torch.float64)
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

    def _linearised(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:  # six of (..., N)
        """`_distort` of (x, y), then its slopes: of x along x and y, of y along x and y."""
        k1, k2, k3, p1, p2, factor = self.parameters[..., None, 4:].unbind(-1)
        r2 = x * x + y * y
        gain = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + factor * (p1 * y + p2 * x)
        slope = 2 * (k1 + r2 * (2 * k2 + 3 * r2 * k3))  # of the radial gain, along x: slope * x
        gain_x, gain_y = slope * x + factor * p2, slope * y + factor * p1
        return (
            x * gain + p2 * r2,
            y * gain + p1 * r2,
            gain + x * gain_x + 2 * p2 * x,
            x * gain_y + 2 * p2 * y,
            y * gain_x + 2 * p1 * x,
            gain + y * gain_y + 2 * p1 * y,
        )

    def _edge(self) -> Tensor:  # (...)
        """How far from the axis, as x/z, the lens still sees more the further out it looks."""
        k1, k2, k3 = self.parameters[..., None, 4:7].unbind(-1)
        radius = torch.linspace(0, _WIDEST, _EDGE_PLACES).to(self.parameters)
        r2 = radius * radius
        rising = 1 + r2 * (3 * k1 + r2 * (5 * k2 + r2 * 7 * k3)) > 0
        return (radius * ((~rising).cumsum(-1) == 0)).amax(-1)


def _may_look(values: Tensor) -> bool:
    """Whether what comes next may depend on them: no graph is being made, no GPU waited for."""
    return values.device.type == "cpu" and not torch.compiler.is_compiling()


def world_to_camera(
    points: Tensor,  # (..., N, 3) mm, world frame
    rotation: Tensor,  # (..., 3, 3) world to camera
    position: Tensor,  # (..., 3) mm, the camera's centre in the world
) -> Tensor:  # (..., N, 3) mm, camera frame
    """X_cam = R (X_world - T).

    Example:
        >>> ahead = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # along y, with z up
        >>> place = torch.tensor([0.0, -5000.0, 1000.0])
        >>> world_to_camera(torch.tensor([[100.0, 0.0, 1500.0]]), ahead, place)
        tensor([[ 100., -500., 5000.]])
    """
    return (points - position[..., None, :]) @ rotation.transpose(-1, -2)
