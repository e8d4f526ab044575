"""The solid body around 17 joints: which rods, how thick, and of what colour.

Only the joints are needed, so poses from motion capture get the same body as invented ones.
Which way head and feet point is taken from the trunk and the knees. Every limb's line runs
through its joints; trunk and head are several rods each, wide from side to side and flat from
front to back, with a print on the chest, eyes and a nose in front and hair behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posezoo.data.scene.appearance import Looks, Paint

Floats = NDArray[np.float64]

_TYPICAL_LEG_MM = 897.0  # thigh and shank: radii grow with it
# How far before a joint something must be to hide it: its own flesh is nearer than this.
_HIDES_MM = np.array(
    [170, 150, 110, 90, 150, 110, 90, 170, 160, 130, 130, 110, 85, 130, 110, 85, 130], np.float64
)


@dataclass(slots=True)
class Solids:
    """Rods in space, collected one by one for all N pictures at once."""

    count: int  # N
    ends: list[Floats] = field(default_factory=list)  # each (N, 2, 3) mm
    radius: list[Floats] = field(default_factory=list)  # each (N, 2) mm
    paints: list[tuple[Paint, Paint]] = field(default_factory=list)  # before and after the change
    change: list[Floats] = field(default_factory=list)  # each (N,): where along the rod

    def add(
        self,
        first: Floats,  # (N, 3) mm
        last: Floats,  # (N, 3) mm
        radius: tuple[Floats | float, Floats | float],  # mm, (N,) each; 0: not there
        paint: Paint,
        *,
        then: Paint | None = None,
        change: Floats | float = 1.0,
    ) -> None:
        """A rod of one paint, or of two with a change along it."""
        self.ends.append(np.stack([first, last], 1))
        wide = [np.broadcast_to(np.asarray(each, np.float64), (self.count,)) for each in radius]
        self.radius.append(np.stack(wide, 1))
        self.paints.append((paint, paint if then is None else then))
        self.change.append(np.broadcast_to(np.asarray(change, np.float64), (self.count,)))


def hidden(
    joint_depth_mm: Floats,  # (N, 17)
    front_mm: Floats,  # (N, 17) of the foremost surface where the joint is seen
) -> NDArray[np.bool_]:  # (N, 17)
    """Which joints have something before them other than the flesh around themselves."""
    return front_mm < joint_depth_mm - _HIDES_MM


def add_body(
    solids: Solids,
    joints: Floats,  # (N, 17, 3) mm, camera frame
    looks: Looks,
) -> None:
    """Flesh and clothes."""
    at = joints.swapaxes(0, 1)
    legs = [np.linalg.norm(at[b] - at[a], axis=-1) for a, b in ((1, 2), (2, 3), (4, 5), (5, 6))]
    size = np.clip(sum(legs) / 2 / _TYPICAL_LEG_MM, 0.5, 1.5)
    mm = size[:, None]
    wide = size * looks.girth

    up = unit(at[8] - at[0])
    left = unit(at[11] - at[14] - along(at[11] - at[14], up))
    front = np.cross(left, up)
    hips = at[4] - at[1]
    hip_front = unit(np.cross(hips, at[7] - at[0]))
    _add_trunk(
        solids, at, looks, mm=mm, wide=wide, up=up, left=left, front=front, hip_front=hip_front
    )
    _add_head(solids, at, looks, mm=mm, front=front)

    cover = looks.sleeve
    for shoulder, elbow, wrist in ((11, 12, 13), (14, 15, 16)):
        bare = Paint.SKIN
        fore = at[wrist] - at[elbow]
        hand = at[wrist] + 0.34 * fore
        solids.add(
            at[shoulder],
            at[elbow],
            (54 * wide, 40 * wide),
            Paint.SHIRT,
            then=bare,
            change=2 * cover,
        )
        solids.add(
            at[elbow],
            at[wrist],
            (40 * wide, 28 * wide),
            Paint.SHIRT,
            then=bare,
            change=2 * cover - 1,
        )
        solids.add(at[wrist], hand, (30 * size, 34 * size), bare)
    for hip, knee, ankle in ((1, 2, 3), (4, 5, 6)):
        cover = looks.leg
        shank = unit(at[ankle] - at[knee])
        straight = unit(at[ankle] - at[hip])
        bulge = at[knee] - at[hip] - along(at[knee] - at[hip], straight)
        ahead = bulge / (100 * mm) + 0.35 * hip_front
        ahead = unit(ahead - along(ahead, shank))
        toes = at[ankle] + mm * (165 * ahead + 45 * shank)
        heel = at[ankle] + mm * (-35 * ahead + 38 * shank)
        bare = Paint.SKIN
        solids.add(
            at[hip], at[knee], (82 * wide, 56 * wide), Paint.TROUSERS, then=bare, change=2 * cover
        )
        solids.add(
            at[knee],
            at[ankle],
            (56 * wide, 40 * wide),
            Paint.TROUSERS,
            then=bare,
            change=2 * cover - 1,
        )
        solids.add(heel, toes, (42 * size, 34 * size), Paint.SHOES)


def _add_trunk(
    solids: Solids, at: Floats, looks: Looks, *, mm: Floats, wide: Floats,
    up: Floats, left: Floats, front: Floats, hip_front: Floats,
) -> None:  # fmt: skip
    hips, waist = at[4] - at[1], unit(at[7] - at[0])
    solids.add(at[0] - 0.28 * hips, at[0] + 0.28 * hips, (108 * wide, 108 * wide), Paint.TROUSERS)
    for hip, shoulder in ((4, 11), (1, 14)):
        low = at[0] + 0.42 * (at[hip] - at[0]) + mm * 95 * waist
        high = at[8] + 0.5 * (at[shoulder] - at[8]) - mm * 75 * up
        solids.add(low, high, (88 * wide, 96 * wide), Paint.SHIRT)
    solids.add(at[0] + mm * 70 * waist, at[7], (104 * wide, 102 * wide), Paint.SHIRT)
    solids.add(at[7], at[8] - mm * 70 * up, (102 * wide, 96 * wide), Paint.SHIRT)
    yoke = [at[8] + 0.8 * (at[shoulder] - at[8]) for shoulder in (11, 14)]
    solids.add(yoke[0], at[8], (54 * wide, 62 * wide), Paint.SHIRT)
    solids.add(yoke[1], at[8], (54 * wide, 62 * wide), Paint.SHIRT)
    deep = mm * 82 * looks.girth[:, None]
    belly = at[7] - mm * 40 * waist + deep * unit(front + hip_front)
    breast = at[8] - mm * 95 * up + deep * front
    across = np.where(looks.numbers[:, :1] < 0.5, 0.0, mm * 40) * left
    print_mm = (24 + 22 * looks.numbers[:, 1]) * mm[:, 0]
    solids.add(belly - across, breast + across, (print_mm, print_mm), Paint.FRONT)


def _add_head(solids: Solids, at: Floats, looks: Looks, *, mm: Floats, front: Floats) -> None:
    crown = unit(at[10] - at[9])
    face = unit(front - along(front, crown))
    side = np.cross(crown, face)
    skull_mm = 84 * mm[:, 0]
    middle = at[10] - mm * 80 * crown
    chin = at[9] + mm * (30 * face - 30 * crown)
    solids.add(at[8], at[9] - mm * 20 * crown, (54 * mm[:, 0], 50 * mm[:, 0]), Paint.SKIN)
    solids.add(middle, chin, (skull_mm, 62 * mm[:, 0]), Paint.SKIN)
    nape = middle - mm * 26 * face
    tips = nape - looks.hair_mm[:, None] * mm * crown - mm * 12 * face
    solids.add(nape + mm * 14 * crown, tips, (skull_mm, 0.85 * skull_mm), Paint.HAIR)
    brow = middle + mm * (74 * face + 2 * crown)
    eye = mm * 30 * side
    solids.add(brow - eye, brow + eye, (14 * mm[:, 0], 14 * mm[:, 0]), Paint.EYES)
    nose = middle + mm * (84 * face - 28 * crown)
    solids.add(nose, nose - mm * 6 * crown, (14 * mm[:, 0], 17 * mm[:, 0]), Paint.SKIN)


def add_things(
    solids: Solids,
    joints: Floats,  # (N, 17, 3) mm, camera frame
    up: Floats,  # (N, 3) unit vector of the camera frame, against gravity
    looks: Looks,
) -> None:
    """A seat under whoever sits on nothing, and poles, rails and balls in the way of some."""
    at = joints.swapaxes(0, 1)
    height = ((joints - joints[:, :1]) * up[:, None]).sum(-1)
    feet = (at[3] + at[6]) / 2 - at[0]
    apart = np.linalg.norm(feet - along(feet, up), axis=-1)
    drop = -height.min(1)  # of the pelvis above the lowest joint
    knees_up = (height[:, 2] + height[:, 5]) / 2
    sits = (apart > 230) & (drop > 250) & (drop < 620) & (knees_up > -220) & (height[:, 8] > 250)
    under = at[0] - 205 * up
    half = 0.9 * (at[4] - at[1])
    thick = np.where(sits, 85.0, 0.0)
    leg = np.where(sits, 32.0, 0.0)
    solids.add(under - half, under + half, (thick, thick), Paint.SEAT)
    solids.add(under, under - np.maximum(drop - 205, 1)[:, None] * up, (leg, leg), Paint.SEAT)

    u = looks.numbers
    for k, paint in enumerate((Paint.NEAR, Paint.NEAR_TOO)):
        chance, joint, ahead, slant, length, thickness = u[:, 2 + 6 * k : 8 + 6 * k].T
        there = chance < (0.22, 0.1)[k]
        aim = joints[np.arange(len(joints)), (joint * 17).astype(np.int64)]
        near = aim * (1 - (350 + 700 * ahead) / np.linalg.norm(aim, axis=-1))[:, None]
        turn = np.pi * slant
        reach = np.where(length < 0.6, 150 + 2500 * length, 60 * length)[:, None]
        sideways = np.cross(up, unit(aim))
        line = reach * (np.cos(turn)[:, None] * up + np.sin(turn)[:, None] * sideways)
        thick = np.where(there, 30 + 100 * thickness, 0.0)
        solids.add(near - line, near + line, (thick, thick), paint)


def unit(
    vectors: Floats,  # (N, 3)
) -> Floats:  # (N, 3)
    """Vectors of length 1; a zero vector stays."""
    length: Floats = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return vectors / length


def along(
    vectors: Floats,  # (N, 3)
    direction: Floats,  # (N, 3) of length 1
) -> Floats:  # (N, 3)
    """The part of each vector in that direction."""
    size: Floats = (vectors * direction).sum(-1, keepdims=True)
    return size * direction
