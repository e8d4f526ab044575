"""Augmentation as text: `mirror+roll:degrees=30+zoom:factor=1.2,chance=0.5`.

    augmentation := change { "+" change }
    change       := name [ ":" parameter "=" number { "," parameter "=" number } ]

In the order in which they are written; a change may stand there more than once.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

from posezoo.data.augment.augmentation import Augmentation
from posezoo.data.augment.background import Background
from posezoo.data.augment.detected import Detected, error_model
from posezoo.data.augment.framing import Aim, Mirror, Pan, Roll, Shift, Undistort, Zoom
from posezoo.data.augment.miscalibrate import Miscalibrate
from posezoo.data.augment.occlusion import Occlude
from posezoo.data.augment.person import Body, Viewpoint
from posezoo.data.augment.pixels import Blur, Colour, Jpeg, Noise
from posezoo.hints import did_you_mean
from posezoo.skeleton import Skeleton, get_skeleton

CHANGES: dict[str, Any] = {
    change.__name__.lower(): change
    for change in (
        *(Mirror, Roll, Zoom, Shift, Pan, Aim, Undistort, Miscalibrate, Body, Viewpoint, Detected),
        *(Colour, Blur, Noise, Jpeg, Occlude, Background),
    )
}
_PLUS = re.compile(r"\+(?=[A-Za-z])")  # not that of 1e+1


def parse_augment(text: str, skeleton: Skeleton, *, told: Skeleton | None = None) -> Augmentation:
    """Read an augmentation of data of that skeleton, for a lifter that is told `told`.

    Raises:
        ValueError: unknown names, or numbers that do not fit, all of them together.
    """
    changes, problems = [], []
    for part in _PLUS.split(text):
        name, _, params = part.partition(":")
        try:
            changes.append(_for(told, _change(name, params)))
        except ValueError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ValueError(f"augment '{text}': " + "; ".join(problems))
    return Augmentation(changes, skeleton=skeleton)


def _change(name: str, params: str) -> Any:
    if name not in CHANGES:
        hint = did_you_mean(name, CHANGES)
        raise ValueError(f"no such change.{hint} Known: {', '.join(CHANGES)}")
    kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(CHANGES[name])}
    given: dict[str, float] = {}
    for item in params.split(",") if params else ():
        parameter, _, value = item.partition("=")
        if parameter not in kinds:
            known = ", ".join(kinds) or "none"
            raise ValueError(
                f"no parameter '{parameter}'.{did_you_mean(parameter, kinds)} It has: {known}"
            )
        if parameter in given:
            raise ValueError(f"'{parameter}' is written twice")
        try:
            given[parameter] = kinds[parameter](value)
        except ValueError:
            raise ValueError(
                f"{parameter} is '{value}', expected {_WORDS[kinds[parameter]]}"
            ) from None
    return CHANGES[name](**given)


def _for(told: Skeleton | None, made: Any) -> Any:
    """The change, with what it must know of the lifter."""
    if not isinstance(made, Detected):
        return made
    if made.joints != "any":
        get_skeleton(made.joints)
    if made.fitted:
        error_model(made.fitted)
    return made if told is None or made.told else replace(made, told=told.name)


_WORDS = {int: "a whole number", float: "a number"}
