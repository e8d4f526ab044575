"""Changes of the view that stay true: mirror, roll, zoom, shift, pan, aim, undistort.

Each gives a new `View`; 2D, 3D, camera and picture then follow exactly (`view.retake`). A shift
moves the principal point along with the crop and leaves 3D as it is; a pan moves the person in the
picture by turning the camera about its centre, which turns 3D by the same rotation. Either is true.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.data.augment.change import change
from posezoo.data.augment.random_stream import RandomStream
from posezoo.data.augment.view import View
from posezoo.geometry import rotation_to_optical_axis
from posezoo.limits import Range, Share


@change
class Mirror:
    """Left and right change places, of picture and person."""

    chance: Share = 0.5

    def look(self, view: View, stream: RandomStream) -> View:
        """The view, for some items mirrored in its upright middle line."""
        happens = stream.happens(self.chance)
        flip = torch.diag_embed(torch.where(happens[:, None], _MIRROR.to(happens.device), 1.0))
        mirrored = view.camera.mirrored(view.middle_px[:, 0]).parameters
        camera = Camera(torch.where(happens[:, None], mirrored, view.camera.parameters))
        return view.seen_by(camera, flip.to(view.linear))


@change
class Roll:
    """The camera rolls about its optical axis; the picture turns about its own middle."""

    degrees: Annotated[float, Range(0, 180)] = 30.0  # at most, either way
    chance: Share = 1.0

    def look(self, view: View, stream: RandomStream) -> View:
        """The view, rolled."""
        radians = math.radians(self.degrees) * stream.strength(1, self.chance)[:, 0].to(view.linear)
        return roll(view, radians)


@change
class Zoom:
    """A longer or shorter focal length, about the picture's middle."""

    factor: Annotated[float, Range(1, 16)] = 1.25  # at most, in or out; as often in as out
    chance: Share = 1.0

    def look(self, view: View, stream: RandomStream) -> View:
        """The view, nearer or farther."""
        return zoom(view, self.factor ** stream.strength(1, self.chance).to(view.linear))


@change
class Shift:
    """The crop moves, and its principal point with it. With a large `most`: truncation."""

    most: Annotated[float, Range(0, 1)] = 0.1  # share of the picture's side, x and y
    chance: Share = 1.0

    def look(self, view: View, stream: RandomStream) -> View:
        """The view, shifted."""
        return shift(view, self.most * stream.strength(2, self.chance).to(view.linear))


@change
class Pan:
    """The camera turns about its centre, so that the picture's middle moves; same intrinsics."""

    most: Annotated[float, Range(0, 1)] = 0.1  # share of the picture's side, x and y
    chance: Share = 1.0

    def look(self, view: View, stream: RandomStream) -> View:
        """The view of the turned camera."""
        offset = self.most * stream.strength(2, self.chance).to(view.linear) * view.size_px
        px = torch.stack([view.middle_px, view.middle_px + offset], 1)
        before, after = rotation_to_optical_axis(view.camera.to_rays(px)).unbind(1)
        # A new object even where nothing turns: `retake` tells a changed view by its camera.
        return view.seen_by(Camera(view.camera.parameters), after.transpose(-1, -2) @ before)


@change
class Aim:
    """The camera turns to look straight at the picture's middle: a virtual camera of the crop.

    Not random: what is trained so must be tested so.
    """

    def look(self, view: View, stream: RandomStream) -> View:
        """The view with its optical axis through its middle."""
        ray = view.camera.to_rays(view.middle_px[:, None])[:, 0]
        parameters = view.camera.parameters.clone()
        parameters[:, 2:4] = view.middle_px
        return view.seen_by(Camera(parameters), rotation_to_optical_axis(ray))


@change
class Undistort:
    """A pinhole camera with the same focal length; what the middle shows stays there.

    Not random: what is trained so must be tested so.
    """

    def look(self, view: View, stream: RandomStream) -> View:
        """The view without distortion."""
        ray = view.camera.to_rays(view.middle_px[:, None])[:, 0]
        parameters = view.camera.parameters.clone()
        parameters[:, 2:4] = view.middle_px - view.camera.focal * ray
        parameters[:, 4:9] = 0
        return view.seen_by(Camera(parameters))


def roll(
    view: View,
    radians: Tensor,  # (B,)
) -> View:
    """Turn the picture clockwise about its middle, by rolling the camera the other way."""
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    rows = [cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1]
    turn = torch.stack(rows, -1).unflatten(-1, (3, 3))
    return view.seen_by(view.camera.rolled(radians, view.middle_px), turn)


def zoom(
    view: View,
    factor: Tensor,  # (B, 1) new px per old px
) -> View:
    """Resize the picture about its middle."""
    return view.seen_by(view.camera.resampled(factor, view.middle_px * (1 - factor)))


def shift(
    view: View,
    share: Tensor,  # (B, 2) of the picture's sides
) -> View:
    """Move what the picture shows."""
    return view.seen_by(view.camera.resampled(torch.ones_like(share), share * view.size_px))


_MIRROR = torch.tensor([-1.0, 1.0, 1.0])
