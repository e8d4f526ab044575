"""Millimetres or not: judged by the length of thighs, which every body has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posezoo.skeleton import Skeleton

_THIGH_MM = (250.0, 700.0)  # from a small child's to a giant's
_MM_PER = {"metres": 1000.0, "centimetres": 10.0, "inches": 25.4, "ASF units": 25.4 / 0.45}


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
    thigh = float(np.median(np.linalg.norm(positions[:, knee] - positions[:, hip], axis=-1)))
    low, high = _THIGH_MM
    if not low <= thigh <= high:
        units = [unit for unit, mm in _MM_PER.items() if low <= thigh * mm <= high]
        guess = (
            f"the numbers look like {' or '.join(units)}" if units else "is the joint order right?"
        )
        raise ValueError(
            f"the median thigh (right hip to right knee) would be {thigh:.4g} mm long, expected "
            f"{low:.0f} to {high:.0f}: {guess} (write mm)"
        )
