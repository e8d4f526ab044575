"""Pictures of people from 17 joints: shaded solid bodies in a room, drawn in numpy.

`render_batch` needs the joints in the camera frame and the camera, distortion included, so that it
draws motion capture as well as invented people; what is drawn lies on the projected joints. A
picture is a function of its joints, its camera, (seed, index) and the person's name; it does
not depend on the others of its batch. People are drawn at twice the resolution for smooth edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.camera import Camera
from posezoo.data.scene.appearance import Looks, Paint, draw_looks
from posezoo.data.scene.backdrop import draw_backdrop
from posezoo.data.scene.raster import Rods, Surface, rasterise
from posezoo.data.scene.solids import Solids, add_body, add_things, hidden, unit
from posezoo.geometry import cell_affine

Picture = NDArray[np.float32]

_AT_ONCE = 8  # pictures drawn together, which bounds the memory
_NOISE_STARTS = 1 << 16
_STRIPES = 7.0  # per rod


def render_batch(
    joints: Tensor,  # (N, 17, 3) mm, camera frame, absolute, Human3.6M-17 order
    camera: Camera,  # parameters (N, 10) of the square picture to draw
    *,
    size: int,  # px
    seed: int,
    index: NDArray[np.int64],  # (N,) clothes, light, room, noise are drawn by it
    subject: Sequence[str],  # N names: skin, hair and girth go with them
    up: Tensor | None = None,  # (N, 3) against gravity, camera frame; None: a level camera
) -> tuple[Tensor, Tensor]:  # (N, 3, size, size) uint8 RGB, and visible (N, 17) bool
    """Draw people. A joint is visible if it is in the picture with nothing before it."""
    if up is None:
        up = joints.new_tensor([0.0, -1.0, 0.0]).expand(len(joints), 3)
    parts = [
        _render(
            joints[k : k + _AT_ONCE].double(),
            camera[slice(k, k + _AT_ONCE)].to(torch.float64),
            up[k : k + _AT_ONCE].double().numpy(),
            draw_looks(seed, index[k : k + _AT_ONCE], subject[k : k + _AT_ONCE]),
            size=size,
            seed=seed,
            index=index[k : k + _AT_ONCE],
        )
        for k in range(0, len(joints), _AT_ONCE)
    ]
    images, visible = zip(*parts, strict=True)
    return torch.from_numpy(np.concatenate(images)), torch.from_numpy(np.concatenate(visible))


def render(
    joints: Tensor,  # (17, 3) mm, camera frame, absolute
    camera: Camera,  # parameters (10,)
    *,
    size: int,
    seed: int = 0,
    index: int = 0,
    subject: str = "",
) -> tuple[Tensor, Tensor]:  # (3, size, size) uint8 RGB, and visible (17,) bool
    """Draw one person; see `render_batch`."""
    image, visible = render_batch(
        joints[None],
        Camera(camera.parameters[None]),
        size=size,
        seed=seed,
        index=np.array([index]),
        subject=[subject],
    )
    return image[0], visible[0]


def _render(
    joints: Tensor, camera: Camera, up: NDArray[np.float64], looks: Looks,
    *, size: int, seed: int, index: NDArray[np.int64],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:  # fmt: skip
    points = joints.numpy()
    solids = Solids(len(points))
    add_body(solids, points, looks)
    add_things(solids, points, up, looks)
    sun = _to_sun(up, looks)
    fine = 2 * size
    scale, offset = cell_affine(0.5)  # a drawn pixel is a cell of half a picture pixel
    fine_camera = camera.resampled(torch.tensor(1 / scale), torch.tensor(-offset / scale))
    ends = np.stack(solids.ends, 1)
    radius = np.stack(solids.radius, 1)
    surface = rasterise(_seen(ends, radius, fine_camera), fine)

    colour = _shade(surface, solids, ends, looks=looks, sun=sun)
    layer = np.zeros((len(points) * fine * fine, 4), np.float32)  # RGB, and 1 where there is a rod
    layer[surface.pixel, :3] = colour
    layer[surface.pixel, 3] = 1
    layer = _coarser(layer, size)
    room = draw_backdrop(
        points, camera.parameters.numpy(), up, sun, size=size, seed=seed, index=index
    )
    picture = layer[..., :3] + (1 - layer[..., 3:]) * room
    picture *= (255 * looks.exposure).astype(np.float32)[:, None, None, None]
    picture += _grain(looks, index, picture.shape)
    image = np.clip(picture, 0, 255).astype(np.uint8).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(image), _visible(joints, fine_camera, surface, fine)


def _seen(ends: NDArray[np.float64], radius: NDArray[np.float64], camera: Camera) -> Rods:
    count, rods = ends.shape[:2]
    depth = np.maximum(ends[..., 2], 1.0)  # what lies behind the camera is left out by its depth_mm
    points = np.concatenate([ends[..., :2], depth[..., None]], -1).reshape(count, -1, 3)
    px = camera.project(torch.from_numpy(points))
    focal = camera.focal.mean(-1).numpy()[:, None, None]
    return Rods(
        ends_px=px.numpy().reshape(count, rods, 2, 2).astype(np.float32),
        depth_mm=ends[..., 2].astype(np.float32),
        radius_px=(radius * focal / depth).astype(np.float32),
        radius_mm=radius.mean(-1).astype(np.float32),
    )


def _shade(
    surface: Surface, solids: Solids, ends: NDArray[np.float64],
    *, looks: Looks, sun: NDArray[np.float64],
) -> Picture:  # (K, 3) RGB  # fmt: skip
    rods = ends.shape[1]
    picture = surface.rod // rods
    line = unit((ends[:, :, 1] - ends[:, :, 0]).reshape(-1, 3)).astype(np.float32)
    normal: Picture = np.concatenate([surface.across, -surface.towards[:, None]], 1)
    axis: Picture = line[surface.rod]
    on_side = (surface.along > 0) & (surface.along < 1)
    normal -= (_dot(normal, axis) * on_side)[:, None] * axis
    length = np.sqrt(_dot(normal, normal)) + np.float32(1e-6)
    lit = np.maximum(_dot(normal, sun.astype(np.float32)[picture]) / length, 0)

    change = np.stack(solids.change, 1).reshape(-1).astype(np.float32)
    paints = np.array(solids.paints)[surface.rod % rods]
    paint = np.where(surface.along < change[surface.rod], paints[:, 0], paints[:, 1])
    dyed = picture * len(Paint) + paint
    stripes = looks.stripes.reshape(-1).astype(np.float32)[dyed]
    stripes *= np.floor(surface.along * (2 * _STRIPES)) % 2
    ambient = looks.ambient.astype(np.float32)[picture] * (0.6 + 0.4 * surface.towards)
    light = ambient[:, None] + lit[:, None] * looks.sun.astype(np.float32)[picture]
    base: Picture = looks.palette.reshape(-1, 3).astype(np.float32)[dyed]
    base *= light
    base *= (1 - stripes)[:, None]
    return base


def _dot(a: Picture, b: Picture) -> Picture:  # (K, 3) -> (K,)
    products: Picture = np.einsum("kc,kc->k", a, b)
    return products


def _to_sun(up: NDArray[np.float64], looks: Looks) -> NDArray[np.float64]:  # (N, 3)
    side = unit(np.cross(up, [0.0, 0.0, 1.0]))
    ahead = np.cross(side, up)
    around = np.cos(looks.sun_azimuth)[:, None] * ahead + np.sin(looks.sun_azimuth)[:, None] * side
    return np.sin(looks.sun_height)[:, None] * up + np.cos(looks.sun_height)[:, None] * around


def _coarser(fine: Picture, size: int) -> Picture:  # (N, size, size, C)
    """Means of 2 x 2 pixels; ten times as fast as numpy's mean over two axes."""
    rows = fine.reshape(-1, size, 2, size * 2, fine.shape[-1])
    columns = (rows[:, :, 0] + rows[:, :, 1]).reshape(-1, size, size, 2, fine.shape[-1])
    return (columns[..., 0, :] + columns[..., 1, :]) * np.float32(0.25)


def _visible(
    joints: Tensor, camera: Camera, surface: Surface, fine: int
) -> NDArray[np.bool_]:  # (N, 17)
    px = np.rint(camera.project(joints).numpy())
    inside = ((px >= 0) & (px < fine)).all(-1)
    x, y = np.where(inside[..., None], px, 0).astype(np.int64).transpose(2, 0, 1)
    front = surface.depth_mm.reshape(-1, fine, fine)[np.arange(len(px))[:, None], y, x]
    visible: NDArray[np.bool_] = inside & ~hidden(joints[..., 2].numpy(), front)
    return visible


def _grain(
    looks: Looks, index: NDArray[np.int64], shape: tuple[int, ...]
) -> Picture:  # (N, size, size, 3) grey levels
    """Sensor noise, cut from one long row of it at a place that depends on the index."""
    length = shape[1] * shape[2] * shape[3]
    table = _noise(length + _NOISE_STARTS)
    start = index % _NOISE_STARTS * 7919 % _NOISE_STARTS
    rows = np.stack([table[s : s + length] for s in start]).reshape(shape)
    return rows * looks.noise.astype(np.float32)[:, None, None, None]


@cache
def _noise(length: int) -> Picture:
    return np.random.Generator(np.random.PCG64(11)).standard_normal(length, np.float32)
