"""Where the joints of other sets lie on a person of whom 17 are known: the 31 places.

Motion capture has no face and no skin. What stands here for them is a body of rules, measured where
there was something to measure, with a spread that is wider than the measurement is good:

- COCO's hips lie 21 mm further out than CMU's, its shoulders 21 mm further in; the top of the head
  lies 1.42 times as far from the middle of the shoulders as CMU's head, the ears 0.775 times; and
  BlazePose's hips lie 6 % of the trunk below COCO's (one man in twelve calibrated pictures, against
  CMU's people: docs/detectors.md);
- the face turns about the neck, which 17 joints do not show: any way by some 25 degrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from posezoo.skeleton import H36M17, get_skeleton
from posezoo.trunk import SKULL

PLACES = get_skeleton("places31")
DRAWN = 19  # numbers for each person

_AT = H36M17.joints.index
_MM = {"hips": 15.0, "shoulders": 15.0, "face": 8.0}  # spread of the places
_EARS = 0.775  # of the way from the middle of the shoulders to CMU's head
_YAW = math.radians(25)
# Of the face, mm: forwards from between the ears, upwards, and to its left.
_FACE = {
    "nose": (110.0, -15.0, 0.0),
    "left_eye": (85.0, 25.0, 32.0),
    "right_eye": (85.0, 25.0, -32.0),
    "left_ear": (0.0, 0.0, 75.0),
    "right_ear": (0.0, 0.0, -75.0),
}


def to_places(
    joints: Tensor,  # (B, T, 17, 3) mm, camera frame
    normal: Tensor,  # (B, DRAWN) of a normal distribution: how this person differs
) -> Tensor:  # (B, T, 31, 3) mm
    """The 17 joints, and behind them where the other sets have theirs."""
    draws = iter(normal[:, None, :, None].unbind(2))  # (B, 1, 1) each
    at: dict[str, Tensor] = {name: joints[..., _AT(name), :] for name in H36M17.joints}
    left = _unit(at["left_hip"] - at["right_hip"])
    hips, shoulders = (
        (at[f"left_{part}"] + at[f"right_{part}"]) / 2 for part in ("hip", "shoulder")
    )
    trunk = shoulders - hips
    up = _unit(trunk)
    _skin(at, left, up, lambda: next(draws))
    lower = 0.06 * trunk + _MM["hips"] * next(draws) * up
    for side in ("left", "right"):
        at[f"{side}_low_hip"] = at[f"{side}_skin_hip"] - lower
    at["middle_of_hips"] = (at["left_skin_hip"] + at["right_skin_hip"]) / 2
    at["middle_of_shoulders"] = (at["left_skin_shoulder"] + at["right_skin_shoulder"]) / 2
    to_head = at["head"] - shoulders
    at["head_top"] = shoulders + (SKULL + 0.04 * next(draws)) * to_head
    _face(at, shoulders, to_head, lambda: next(draws))
    return torch.stack([at[name] for name in PLACES.joints], -2)


def _skin(at: dict[str, Tensor], left: Tensor, up: Tensor, draw: Callable[[], Tensor]) -> None:
    """Hips and shoulders where people who look at pictures put them."""
    across = _unit(at["left_shoulder"] - at["right_shoulder"])
    for part, outwards, mean in (("hip", left, 21.0), ("shoulder", across, -21.0)):
        spread = _MM[f"{part}s"]
        out, higher = mean + spread * draw(), spread * draw()
        for side, sign in (("left", 1), ("right", -1)):
            at[f"{side}_skin_{part}"] = at[f"{side}_{part}"] + sign * out * outwards + higher * up


def _face(
    at: dict[str, Tensor], shoulders: Tensor, to_head: Tensor, draw: Callable[[], Tensor]
) -> None:
    """Nose, eyes and ears of a head that turns about the line of the neck."""
    up = _unit(to_head)
    across = at["left_shoulder"] - at["right_shoulder"]
    side = _unit(across - (across * up).sum(-1, keepdim=True) * up)
    yaw = _YAW * draw()
    ahead = torch.linalg.cross(side, up)
    ahead, side = ahead * yaw.cos() + side * yaw.sin(), side * yaw.cos() - ahead * yaw.sin()
    middle, size = shoulders + _EARS * to_head, 1 + 0.06 * draw()
    forwards, higher = (_MM["face"] * draw() for _ in range(2))
    for name, (x, y, z) in _FACE.items():
        own = _MM["face"] * draw()
        place = (size * x + forwards) * ahead + (size * y + higher + own) * up + size * z * side
        at[name] = middle + place


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-6)
