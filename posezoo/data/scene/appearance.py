"""What drawn people look like, and the light on them.

Skin, hair and girth belong to the person and are the same in every picture of theirs; clothes,
light and things that stand in the way belong to the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from posezoo.data import counter_random

Floats = NDArray[np.float64]

_SKIN = np.array([(0.97, 0.82, 0.72), (0.87, 0.66, 0.52), (0.62, 0.42, 0.30), (0.32, 0.21, 0.16)])
_HAIR = np.array([
    (0.06, 0.05, 0.05), (0.17, 0.10, 0.07), (0.32, 0.20, 0.12), (0.75, 0.60, 0.36),
    (0.55, 0.25, 0.12), (0.62, 0.61, 0.60),
])  # fmt: skip
_EYES = (0.10, 0.07, 0.07)


class Paint(IntEnum):
    """Rows of a palette: what may have a colour of its own."""

    SKIN = 0
    HAIR = 1
    EYES = 2
    SHIRT = 3
    FRONT = 4  # what is on the chest: a print, a tie, an open jacket's middle
    TROUSERS = 5
    SHOES = 6
    SEAT = 7
    NEAR = 8  # what stands in the way
    NEAR_TOO = 9


@dataclass(frozen=True, slots=True)
class Looks:
    """The look of N pictures."""

    palette: Floats  # (N, 10, 3) RGB in [0, 1], rows as Paint
    stripes: Floats  # (N, 10) depth of stripes across the rods of that paint; mostly 0
    girth: Floats  # (N,) times the usual radius of trunk and limbs
    hair_mm: Floats  # (N,) how far hair hangs down at the back
    sleeve: Floats  # (N,) of the arm that is covered, from shoulder 0 to wrist 1
    leg: Floats  # (N,) of the leg that is covered, from hip 0 to ankle 1
    ambient: Floats  # (N,) light from everywhere, 0 to 1
    sun: Floats  # (N, 3) RGB, strength and colour of the directed light
    sun_height: Floats  # (N,) rad above the horizon
    sun_azimuth: Floats  # (N,) rad
    exposure: Floats  # (N,)
    noise: Floats  # (N,) of the sensor, standard deviation in grey levels
    numbers: Floats  # (N, 16) in [0, 1) for whatever else is placed


def draw_looks(
    seed: int,
    index: NDArray[np.int64],  # (N,)
    subject: Sequence[str],  # N names
) -> Looks:
    """Dress and light N people."""
    who = counter_random.uniform(0, _numbers(subject), 12, "person/looks")
    u = counter_random.uniform(seed, index, 64, "looks")
    striped = counter_random.uniform(seed, index, len(Paint), "looks/stripes")
    palette = np.zeros((len(index), len(Paint), 3))
    palette[:, Paint.SKIN] = _between(_SKIN, who[:, 0]) * (0.95 + 0.1 * who[:, 1:2])
    hair = _HAIR[(who[:, 2] * len(_HAIR)).astype(np.int64)]
    palette[:, Paint.HAIR] = hair * (0.75 + 0.5 * who[:, 3:4])
    palette[:, Paint.EYES] = _EYES
    for paint in range(Paint.SHIRT, len(Paint)):
        palette[:, paint] = _dye(u[:, 5 * paint : 5 * paint + 5])
    palette[:, Paint.SHOES] *= 0.7
    stripes = np.where(striped < 0.25, 2.4 * striped, 0.0)
    stripes[:, [Paint.SKIN, Paint.HAIR, Paint.EYES, Paint.SHOES]] = 0.0
    warmth = 0.16 * (u[:, 51:52] - 0.5) * np.array([1.0, 0.0, -1.0])
    return Looks(
        palette=np.clip(palette, 0.02, 0.98),
        stripes=stripes,
        girth=0.88 + 0.34 * who[:, 4] ** 1.5,
        hair_mm=np.where(who[:, 5] < 0.55, 25.0, 60 + 200 * who[:, 6]),
        sleeve=np.where(u[:, 52] < 0.5, 0.15 + 0.4 * u[:, 53], 1.0),
        leg=np.where(u[:, 54] < 0.3, 0.25 + 0.4 * u[:, 55], 1.0),
        ambient=0.35 + 0.3 * u[:, 56],
        sun=(0.35 + 0.65 * u[:, 50:51]) * (1 + warmth),
        sun_height=np.radians(25 + 55 * u[:, 57]),
        sun_azimuth=2 * np.pi * u[:, 58],
        exposure=0.75 + 0.45 * u[:, 59],
        noise=1 + 7 * u[:, 60] ** 2,
        numbers=counter_random.uniform(seed, index, 16, "looks/things"),
    )


def _dye(
    u: Floats,  # (N, 5)
) -> Floats:  # (N, 3) RGB: dark as often as light, a third nearly grey
    grey, vivid = u[:, :1], np.where(u[:, 1:2] < 0.35, 0.15, 0.85)
    return 0.04 + 0.9 * (grey + vivid * (u[:, 2:5] - grey))


def _between(
    colours: Floats,  # (C, 3) in a row
    where: Floats,  # (N,) in [0, 1)
) -> Floats:  # (N, 3)
    place = where * (len(colours) - 1)
    step = place.astype(np.int64)
    part = (place - step)[:, None]
    return colours[step] * (1 - part) + colours[step + 1] * part


def _numbers(names: Sequence[str]) -> NDArray[np.int64]:
    digests = [blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.frombuffer(b"".join(digests), "<i8").astype(np.int64)
