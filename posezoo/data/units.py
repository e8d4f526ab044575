"""Millimetres or not: judged by the thigh, which every body has, or by the whole body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posezoo.skeleton import Skeleton

# In h36m17, of the grown people of CMU and HDM05 (532 recordings): 1.44 to 1.77 m from ankle to
# head along the bones; the shares below in 0.95-1.35, 0.68-1.19, 0.58-0.83; sides within 1.13.
HEIGHT_MM = (900.0, 2200.0)  # from a small child's to a giant's
_SOLE = 1.05  # height to the way from ankle to head: what is below the ankle
_THIGH_MM = (250.0, 700.0)
_UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}
_NAMES = {"cm": "centimetres", "m": "metres", "inch": "inches", "mm": "millimetres"}
_ASF = 25.4 / 0.45  # mm: the unit of CMU's files
_PARTS = {
    "thigh": ("hip", "knee"), "shin": ("knee", "ankle"),
    "upper arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"),
}  # fmt: skip
_SHARES = (  # of the first in the second
    ("shin", "thigh", 0.5, 1.8),
    ("forearm", "upper arm", 0.4, 1.8),
    ("upper arm", "thigh", 0.35, 1.3),
)
_SIDES = 1.5  # left to right
_TRUNK = ("spine", "thorax", "neck")  # between root and head


def mm_per_unit(unit: str) -> float:
    """Millimetres in one of mm, cm, m, inch.

    Raises:
        ValueError: another word.
    """
    if unit not in _UNITS:
        raise ValueError(f"unit is {unit!r}, expected one of {', '.join(_UNITS)}")
    return _UNITS[unit]


def check_millimetres(
    positions: NDArray[np.floating],  # (N, J, 3), any frame
    skeleton: Skeleton,
) -> None:
    """Refuse poses that cannot be in mm, and say in what they may be.

    Raises:
        ValueError: the median thigh is too short or too long for a person.
    """
    if not {"right_hip", "right_knee"}.issubset(skeleton.joints):
        return
    hip, knee = skeleton.joints.index("right_hip"), skeleton.joints.index("right_knee")
    with np.errstate(all="ignore"):  # what is too large for a square is no thigh
        thigh = float(np.median(np.linalg.norm(positions[:, knee] - positions[:, hip], axis=-1)))
    low, high = _THIGH_MM
    if not low <= thigh <= high:
        mm = {_NAMES[unit]: size for unit, size in _UNITS.items() if size > 1} | {"ASF units": _ASF}
        units = [unit for unit, size in mm.items() if low <= thigh * size <= high]
        guess = (
            f"the numbers look like {' or '.join(units)}" if units else "is the joint order right?"
        )
        raise ValueError(
            f"the median thigh (right hip to right knee) would be {thigh:.4g} mm long, expected "
            f"{low:.0f} to {high:.0f}: {guess} (write mm)"
        )


def check_body(
    positions: NDArray[np.floating],  # (N, J, 3), any frame, all joints known
    skeleton: Skeleton,
    *,
    size_of_unit: float = 1.0,
    option: str = "write mm",
) -> None:
    """Refuse poses that cannot be a whole person in mm: proportions first, then the height.

    Args:
        positions: in what is believed to be mm.
        skeleton: their joint set.
        size_of_unit: what the file's own numbers were multiplied by; the unit that it may be in is
            found from these.
        option: what to type; "{unit}" in it is mm, cm, m or inch.

    Raises:
        ValueError: bones that no person has together (another joint order, axes that are mixed
            up), or a person under 0.9 or over 2.2 m; the text names the likely unit.
    """
    lengths = _part_lengths(positions, skeleton)
    _check_proportions(lengths)
    height = height_mm(positions, skeleton)
    if height is None:
        check_millimetres(positions, skeleton)
        return
    low, high = HEIGHT_MM
    if low <= height <= high:
        return
    unit = likely_unit(height / size_of_unit)
    if unit:
        guess = f"the numbers look like {_NAMES[unit]} ({option.format(unit=unit)})"
    elif likely_unit(height / size_of_unit * _ASF) == "mm":
        guess = "the numbers look like ASF units of 56.444 mm, which CMU's files are in"
    else:
        guess = "no unit makes this a person; is it a whole body, and the joint order right?"
    raise ValueError(
        f"the body would be {height:.4g} mm tall, expected {low:.0f} to {high:.0f}: {guess}"
    )


def likely_unit(
    height: float,  # in the unit that is looked for
) -> str | None:
    """The one of mm, cm, m and inch in which that is a person; no two of them can be."""
    low, high = HEIGHT_MM
    return next((unit for unit, mm in _UNITS.items() if low <= height * mm <= high), None)


def height_mm(
    positions: NDArray[np.floating],  # (N, J, 3), any frame
    skeleton: Skeleton,
) -> float | None:
    """How tall a person is, stretched, by median bones; None where head or legs are not known."""
    joints = skeleton.joints
    head = next((name for name in ("head", "head_top") if name in joints), "")
    legs = [[f"{side}_{end}" for end in ("hip", "knee", "ankle")] for side in ("left", "right")]
    if not head or not {*legs[0], *legs[1]} <= set(joints) or not len(positions):
        return None
    trunk = [joints[skeleton.root], *(name for name in _TRUNK if name in joints), head]

    def way(names: list[str]) -> float:
        points = positions[:, [joints.index(name) for name in names]].astype(np.float64)
        steps = np.linalg.norm(np.diff(points, axis=1), axis=-1)
        return float(np.median(steps, axis=0).sum())

    return _SOLE * ((way(legs[0]) + way(legs[1])) / 2 + way(trunk))


def _part_lengths(
    positions: NDArray[np.floating], skeleton: Skeleton
) -> dict[str, tuple[float, float]]:  # mm, left and right
    found = {}
    for part, ends in _PARTS.items():
        names = [f"{side}_{end}" for side in ("left", "right") for end in ends]
        if set(names) <= set(skeleton.joints):
            a, b, c, d = (positions[:, skeleton.joints.index(name)] for name in names)
            found[part] = tuple(
                float(np.median(np.linalg.norm((one - two).astype(np.float64), axis=-1)))
                for one, two in ((a, b), (c, d))
            )
    return found  # type: ignore[return-value] # tuples of two


def _check_proportions(lengths: dict[str, tuple[float, float]]) -> None:
    wrong = [
        f"the left {part} is {left / max(right, 1e-9):.2g} times the right"
        for part, (left, right) in lengths.items()
        if not 1 / _SIDES <= left / max(right, 1e-9) <= _SIDES
    ]
    for part, whole, low, high in _SHARES:
        if part in lengths and whole in lengths:
            share = sum(lengths[part]) / max(sum(lengths[whole]), 1e-9)
            if not low <= share <= high:
                wrong.append(f"the {part} is {share:.2g} times the {whole}")
    if wrong:
        raise ValueError(
            f"no person has such bones ({wrong[0]}): are the joints in the order, and x, y, z in "
            "the place, that the format has?"
        )
