"""The formulations that the field uses, written anew from their definitions, as baselines.

numpy: one joint of one picture at a time, as the codecs of the public pose libraries do it in the
data loader and after the network. torch: the textbook lines. Each is checked by the gate too.
"""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SIGMA = 2.236  # cells: the variance of 5 of the report


def numpy_targets_patch(joints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One 3-sigma patch per joint around its nearest cell, put into a zero map."""
    height, width = size
    maps = np.zeros((*joints.shape[:2], height, width), np.float32)
    radius = math.floor(3 * SIGMA)
    cells = np.arange(-radius, radius + 1, dtype=np.float32)
    for person, places in enumerate(joints):
        for joint, (x, y) in enumerate(np.floor(places + 0.5).astype(int)):
            left, top = max(0, x - radius), max(0, y - radius)
            right, bottom = min(width, x + radius + 1), min(height, y + radius + 1)
            if left < right and top < bottom:
                patch = np.exp(-(cells**2 + cells[:, None] ** 2) / (2 * SIGMA**2))
                rows = slice(top - y + radius, bottom - y + radius)
                columns = slice(left - x + radius, right - x + radius)
                region = maps[person, joint, top:bottom, left:right]
                np.maximum(region, patch[rows, columns], out=region)
    return maps


def numpy_targets_full(joints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The whole grid per joint around its true position, divided by its nearest cell's value."""
    height, width = size
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    maps = np.zeros((*joints.shape[:2], height, width), np.float32)
    for person, places in enumerate(joints):
        for joint, place in enumerate(places):
            near = np.floor(place + np.float32(0.5)) - place
            far = (x - place[0]) ** 2 + (y - place[1]) ** 2 - np.square(near).sum()
            region = maps[person, joint]
            np.maximum(region, np.exp(-far / (2 * SIGMA**2)), out=region)
    return maps


def torch_targets_full(joints: Tensor, size: tuple[int, int]) -> Tensor:
    """The whole grid of all joints at once: one exp per cell."""
    x = torch.arange(size[1], device=joints.device)
    y = torch.arange(size[0], device=joints.device)[:, None]
    near = ((joints + 0.5).floor() - joints).square().sum(-1)[..., None, None]
    far = (x - joints[..., 0, None, None]) ** 2 + (y - joints[..., 1, None, None]) ** 2
    return torch.exp((near - far) / (2 * SIGMA**2))


def torch_mse(maps: Tensor, target: Tensor) -> Tensor:
    """Loss per joint against a target that is there."""
    return F.mse_loss(maps, target, reduction="none").mean((2, 3))


def numpy_argmax(maps: np.ndarray) -> np.ndarray:
    """Place of the greatest cell, and its value, one picture at a time."""
    places = []
    for picture in maps:
        flat = picture.reshape(len(picture), -1)
        y, x = np.unravel_index(flat.argmax(1), picture.shape[1:])
        place = np.stack([x, y], -1).astype(np.float32)
        place[flat.max(1) <= 0] = -1
        places.append(place)
    return np.stack(places)


def numpy_quarter(maps: np.ndarray, scale: float, offset: float) -> np.ndarray:
    """A quarter of a cell towards the greater neighbour, picture by picture and joint by joint.

    As mmpose's codec decodes: a copy of the maps, place and value of the maximum, a loop, px.
    """
    return np.stack([_one_quarter(picture.copy(), scale, offset) for picture in maps])


def _one_quarter(picture: np.ndarray, scale: float, offset: float) -> np.ndarray:
    places = numpy_argmax(picture[None])[0]
    joints, height, width = picture.shape
    for joint in range(joints):
        x, y = places[joint].astype(int)
        dx = dy = 0.0
        if 0 < x < width - 1:
            dx = picture[joint, y, x + 1] - picture[joint, y, x - 1]
        if 0 < y < height - 1:
            dy = picture[joint, y + 1, x] - picture[joint, y - 1, x]
        places[joint] += np.sign([dx, dy], dtype=np.float32) * 0.25
    return places * np.float32(scale) + np.float32(offset)


def numpy_quarter_to_image(maps: np.ndarray, scale: float, offset: float) -> np.ndarray:
    """The same to the px of the picture by an affine matrix, one joint after the other.

    As the evaluation of the simple baselines does; it leaves the matrix to OpenCV.
    """
    places = numpy_argmax(maps)
    people, joints, height, width = maps.shape
    result = np.empty_like(places)
    for person in range(people):
        matrix = np.array([[scale, 0, offset], [0, scale, offset]])
        for joint in range(joints):
            one = maps[person][joint]
            x = math.floor(places[person][joint][0] + 0.5)
            y = math.floor(places[person][joint][1] + 0.5)
            if 0 < x < width - 1 and 0 < y < height - 1:
                slope = np.array([one[y][x + 1] - one[y][x - 1], one[y + 1][x] - one[y - 1][x]])
                places[person][joint] += np.sign(slope) * 0.25
            place = places[person][joint]
            result[person, joint] = np.dot(matrix, np.array([place[0], place[1], 1.0]))
    return result


def has_opencv() -> bool:
    """DARK's baseline blurs with OpenCV, as the published code does."""
    return importlib.util.find_spec("cv2") is not None


def numpy_dark(maps: np.ndarray) -> np.ndarray:
    """Blur each map with OpenCV, take its logarithm, one Newton step per joint."""
    import cv2  # noqa: PLC0415 - the row is absent without it

    places = numpy_argmax(maps)
    height, width = maps.shape[2:]
    for person in range(len(maps)):
        for joint in range(maps.shape[1]):
            one = maps[person, joint]
            wide = np.zeros((height + 10, width + 10), np.float32)
            wide[5:-5, 5:-5] = one
            soft = cv2.GaussianBlur(wide, (11, 11), 0)[5:-5, 5:-5]
            soft = np.log(np.maximum(soft * (one.max() / soft.max()), 1e-10))
            x, y = places[person, joint].astype(int)
            if 1 < x < width - 2 and 1 < y < height - 2:
                dx = 0.5 * (soft[y, x + 1] - soft[y, x - 1])
                dy = 0.5 * (soft[y + 1, x] - soft[y - 1, x])
                xx = 0.25 * (soft[y, x + 2] - 2 * soft[y, x] + soft[y, x - 2])
                yy = 0.25 * (soft[y + 2, x] - 2 * soft[y, x] + soft[y - 2, x])
                xy = soft[y + 1, x + 1] - soft[y - 1, x + 1]
                xy = 0.25 * (xy - soft[y + 1, x - 1] + soft[y - 1, x - 1])
                if xx * yy - xy * xy != 0:
                    hessian = np.array([[xx, xy], [xy, yy]])
                    places[person, joint] -= np.linalg.inv(hessian) @ np.array([dx, dy])
    return places


def textbook_soft_argmax(maps: Tensor, inverse_temperature: float) -> Tensor:
    """softmax, times each coordinate's grid, summed over the map."""
    p = torch.softmax((maps * inverse_temperature).flatten(2), -1).view(maps.shape)
    places = []
    for axis in range(maps.ndim - 2):
        grid = torch.arange(maps.shape[-1 - axis], dtype=p.dtype, device=p.device)
        places.append((p * grid.view(-1, *[1] * axis)).flatten(2).sum(-1))
    return torch.stack(places, -1)


def marginal_soft_argmax(maps: Tensor, inverse_temperature: float) -> Tensor:
    """softmax, then sums over all other axes before the coordinate: the better formulation."""
    p = torch.softmax((maps * inverse_temperature).flatten(2), -1).view(maps.shape)
    places = []
    for axis in range(maps.ndim - 2):
        others = [d for d in range(2, maps.ndim) if d != maps.ndim - 1 - axis]
        marginal = p.sum(others)
        grid = torch.arange(marginal.shape[-1], dtype=p.dtype, device=p.device)
        places.append((marginal * grid).sum(-1))
    return torch.stack(places, -1)


def textbook_dsnt(maps: Tensor, joints: Tensor) -> Tensor:
    """Euclidean distance and Jensen-Shannon divergence, one operation at a time."""
    p = torch.softmax(maps.flatten(2), -1).view(maps.shape)
    distance = (marginal_soft_argmax(maps, 1.0) - joints).norm(dim=-1)
    q = torch_targets_full(joints, tuple(maps.shape[2:]))  # type: ignore[arg-type]
    q = q / q.sum((2, 3), keepdim=True)
    middle = 0.5 * (p + q)

    def divergence(a: Tensor, b: Tensor) -> Tensor:
        return (a * ((a + 1e-24).log() - (b + 1e-24).log())).sum((2, 3))

    return distance + 0.5 * (divergence(p, middle) + divergence(q, middle))
