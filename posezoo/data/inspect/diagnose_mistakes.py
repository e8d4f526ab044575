"""The mistakes that put 3D beside its 2D, and how each is undone.

Some are undone by a number (a factor, a swap), some by a fit (distortion, a rotation about the
camera).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from posezoo.camera import Camera

BEHIND_PX = 1e6  # the distance of what lies behind the camera
_FEWEST = 5  # joints in front of the camera from which a fit is made

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some frames of one person and camera, in float64."""

    px: Floats  # (M, J, 2)
    joints: Floats  # (M, J, 3) mm, root-relative
    root: Floats  # (M, 3) mm
    camera: Floats  # (M, 10)
    known: NDArray[np.bool_]  # (M, J) labelled in 2D and in 3D

    def __getitem__(self, which: NDArray[np.generic]) -> Rows:
        return Rows(*(getattr(self, name)[which] for name in self.__slots__))

    @property
    def points(self) -> Floats:  # (M, J, 3) mm, camera frame
        """The 3D, absolute."""
        return self.joints + self.root[:, None]

    @property
    def in_front(self) -> NDArray[np.bool_]:  # (M, J)
        """Known joints that the camera can see."""
        return self.known & (self.points[..., 2] > 1.0)

    def projected(self) -> Floats:  # (M, J, 2) px
        """Where the 3D falls."""
        return Camera(torch.from_numpy(self.camera)).project(torch.from_numpy(self.points)).numpy()

    def errors(self) -> Floats:  # (M,) px
        """How far the worst known joint falls from its 2D."""
        with np.errstate(all="ignore"):
            distance = np.linalg.norm(self.projected() - self.px, axis=-1)
        behind = ~(self.points[..., 2] > 0) | ~np.isfinite(distance)
        worst: Floats = np.where(self.known, np.where(behind, BEHIND_PX, distance), 0.0).max(1)
        return worst


# From rows to what undoes a mistake in any rows, and what was found on the way ("": nothing).
Fit: TypeAlias = Callable[[Rows], tuple[Callable[[Rows], Rows], str]]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake: how it is undone, how it shows, and how to put it right in the source."""

    fault: str
    fit: Fit
    evidence: str
    cure: str


def known_mistakes(
    mirror: tuple[int, ...],
    distorted: bool,
) -> list[Mistake]:
    """All of them, the simplest first; `distorted`: whether the camera has distortion at all."""
    swapped = list(mirror)

    def swap(rows: Rows) -> Rows:
        return replace(rows, px=rows.px[:, swapped], known=rows.known & rows.known[:, swapped])

    def other_factor(rows: Rows) -> Rows:
        return replace(rows, camera=_with(rows.camera, 9, 3 - rows.camera[:, 9]))

    def other_order(rows: Rows) -> Rows:
        return replace(rows, camera=rows.camera[:, [0, 1, 2, 3, 4, 5, 6, 8, 7, 9]])

    return [
        Mistake(
            "left-right-swap",
            _always(swap),
            "2D and 3D agree once left and right change places in the 2D",
            "exchange the left and right joints of the 2D (or of the 3D) in these frames",
        ),
        Mistake(
            "metres-for-millimetres",
            _always(lambda rows: replace(rows, root=rows.root * 1000)),
            "2D and 3D agree once root_mm is multiplied by 1000",
            "write root_mm in mm: multiply it by 1000",
        ),
        Mistake(
            "metres-for-millimetres",
            _always(lambda rows: replace(rows, joints=rows.joints * 1000)),
            "2D and 3D agree once joints3d_mm is multiplied by 1000",
            "write joints3d_mm in mm: multiply it by 1000",
        ),
        Mistake(
            "tangential-factor",
            _always(other_factor),
            "2D and 3D agree with the other tangential factor",
            "set the camera's tangential_factor to the other one: 1 for the Human3.6M toolbox and "
            "VideoPose3D, 2 for OpenCV and mmpose",
        ),
        Mistake(
            "undistorted-2d",
            _always(lambda rows: replace(rows, camera=_with(rows.camera, slice(4, 9), 0.0))),
            "2D and 3D agree without the camera's distortion",
            "the 2D was made without distortion: set k1 k2 k3 p1 p2 to 0, or project the 3D anew "
            "where the pictures are distorted",
        ),
        Mistake(
            "tangential-order",
            _always(other_order),
            "2D and 3D agree once p1 and p2 change places",
            "exchange p1 and p2: VideoPose3D's files hold p2 before p1",
        ),
        Mistake(
            "shifted-2d",
            _shift,
            "all 2D is off by one and the same shift: ",
            "subtract the shift from the 2D; the centre of the top-left pixel is (0, 0), not "
            "(1, 1) as in MATLAB, nor (0.5, 0.5)",
        ),
        Mistake(
            "wrong-distortion" if distorted else "missing-distortion",
            _distortion,
            f"2D and 3D agree with {'other' if distorted else 'some'} distortion: ",
            "give the camera the distortion that the 2D was made with",
        ),
        Mistake(
            "wrong-rotation",
            _rotation,
            "2D and 3D agree once each camera's 3D is turned about it: ",
            "the rotation is transposed, or the axes are others; give 3D in the camera frame: x "
            "right, y down, z forward, X_cam = R (X_world - T)",
        ),
    ]


def _nothing(rows: Rows) -> tuple[Callable[[Rows], Rows], str]:
    return lambda other: other, ""


def _always(undo: Callable[[Rows], Rows]) -> Fit:
    return lambda rows: (undo, "")


def _with(camera: Floats, place: int | slice, value: Floats | float) -> Floats:
    changed = camera.copy()
    changed[:, place] = value
    return changed


def _shift(rows: Rows) -> tuple[Callable[[Rows], Rows], str]:
    if rows.in_front.sum() < _FEWEST:
        return _nothing(rows)
    shift = np.median((rows.px - rows.projected())[rows.in_front], 0)
    text = f"({shift[0]:.3g}, {shift[1]:.3g}) px"
    return lambda other: replace(other, px=other.px - shift), text


def _distortion(rows: Rows) -> tuple[Callable[[Rows], Rows], str]:
    """Least squares for k1 k2 k3 p1 p2; they enter linearly where the 3D is right."""
    if rows.in_front.sum() < _FEWEST:
        return _nothing(rows)
    factor, before = rows.camera[0, 9], rows.camera[0, 4:9]
    x, y = (rows.points[..., :2] / rows.points[..., 2:])[rows.in_front].T
    r2 = x * x + y * y
    along_x = [x * r2, x * r2**2, x * r2**3, factor * x * y, factor * x * x + r2]
    along_y = [y * r2, y * r2**2, y * r2**3, factor * y * y + r2, factor * x * y]
    focal, centre = rows.camera[:, None, 0:2], rows.camera[:, None, 2:4]
    bent = ((rows.px - centre) / focal)[rows.in_front]
    target = np.concatenate([bent[:, 0] - x, bent[:, 1] - y])
    terms = np.concatenate([np.stack(along_x, -1), np.stack(along_y, -1)])
    fitted = np.linalg.lstsq(terms, target)[0]
    text = f"k1 k2 k3 p1 p2 = {' '.join(f'{value:.4g}' for value in fitted)} instead of "
    text += " ".join(f"{value:.4g}" for value in before)
    return lambda other: replace(other, camera=_with(other.camera, slice(4, 9), fitted)), text


def _rotation(rows: Rows) -> tuple[Callable[[Rows], Rows], str]:
    """The one rotation that turns the 3D onto the rays of the 2D (Kabsch)."""
    seen = Camera(torch.from_numpy(rows.camera)).to_rays(torch.from_numpy(rows.px)).numpy()
    placed = np.linalg.norm(rows.points, axis=-1) > 0  # not in the camera's own centre
    known = rows.known & np.isfinite(seen).all(-1) & placed
    rays = np.concatenate([seen, np.ones_like(seen[..., :1])], -1)[known]
    points = rows.points[known]
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    points = points / np.linalg.norm(points, axis=-1, keepdims=True)
    u, _, vt = np.linalg.svd(points.T @ rays)
    turn = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    degrees = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return (
        lambda other: replace(other, joints=other.joints @ turn, root=other.root @ turn),
        f"by {degrees:.1f} degrees",
    )


UNEXPLAINED = Mistake(
    "wrong-projection",
    _nothing,
    "3D does not project onto the 2D, and no known mistake explains it",
    "compare frame numbers of 2D and 3D, the camera of each picture, and its size",
)
