"""How `anylift` sees people: along their mean ray, as large as all others."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from posezoo.camera import Camera
from posezoo.geometry import rotation_to_optical_axis
from posezoo.skeleton import get_skeleton

PLACES = get_skeleton("places31")  # its first joints are those of H36M17
TOLD = 3  # numbers of a token: x, y, confidence
SHARED = 5  # numbers of a person: mean ray, size, how much of them is known, a guessed camera


class View(NamedTuple):
    """People as they are seen along the mean ray of what is known of them."""

    xy: Tensor  # (B, T, 31, 2) x/z, y/z over `size`; 0 where not known
    known: Tensor  # (B, T, 31) bool
    turn: Tensor  # (B, T, 3, 3) to that frame; its transpose leads back
    size: Tensor  # (B, T) root mean square of x/z, y/z
    person: Tensor  # (B, T, 5) what all tokens are told


def all_places(joints2d: Tensor, confidence: Tensor | None) -> tuple[Tensor, Tensor]:
    """(B, T, 31, 2) px and (B, T, 31): of 17 joints, the other places are not known."""
    if confidence is None:
        confidence = torch.ones_like(joints2d[..., 0])
    more = PLACES.num_joints - joints2d.shape[2]
    joints2d = torch.cat([joints2d, joints2d[..., :1, :].expand(-1, -1, more, -1)], 2)
    return joints2d, functional.pad(confidence, (0, more))


def look(
    joints2d: Tensor,  # (B, T, 31, 2) px
    camera: Camera,  # parameters (B, 10)
    known: Tensor,  # (B, T, 31) bool
) -> View:
    """Rays of all places, turned to their mean and divided by their size."""
    rays = camera.to_rays(joints2d.flatten(1, 2), beyond="edge").view_as(joints2d)
    weight = known[..., None].to(rays)
    count = weight.sum(-2).clamp_min(1)
    mean = (rays * weight).sum(-2) / count
    turn = rotation_to_optical_axis(mean)
    turned = torch.cat([rays, torch.ones_like(weight)], -1) @ turn.transpose(-1, -2)
    xy = turned[..., :2] / turned[..., 2:].clamp_min(0.1) * weight
    size = (xy.square().sum((-1, -2)) / count[..., 0]).clamp_min(1e-6).sqrt()
    guessed = camera.guessed.to(rays)[:, None, None].expand_as(size[..., None])
    share = known.to(rays).mean(-1, keepdim=True)
    person = torch.cat([mean, size.log()[..., None], share, guessed], -1)
    return View(xy / size[..., None, None], known, turn, size, person)
