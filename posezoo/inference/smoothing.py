"""Filters over the frames of one person: One-Euro and Savitzky-Golay.

One-Euro (Casiez et al. 2012) looks only back: it lags a little, the less the faster a joint moves.
Here a joint's three coordinates share one cutoff, by its speed in space, so that the result does
not depend on how the camera's axes lie. Savitzky-Golay fits a cubic to the frames on both sides.
"""

from __future__ import annotations

import importlib
import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Filter = Literal["one-euro", "savgol"]

MIN_CUTOFF_HZ = 2.0  # for a joint at rest
BETA_HZ_PER_MM_S = 0.003  # how much the cutoff rises with speed
DERIVATIVE_CUTOFF_HZ = 1.0
WINDOW_S = 0.35
_ORDER = 3


def smooth(
    points: Floats,  # (T, ..., 3) mm, without gaps
    time_s: Floats,  # (T,) rising
    how: Filter,
) -> Floats:  # (T, ..., 3) mm
    """One person's frames, filtered. A gap must be left out by the caller: split there."""
    if len(points) < 2:
        return points
    return one_euro(points, time_s) if how == "one-euro" else savitzky_golay(points, time_s)


def one_euro(
    points: Floats,  # (T, ..., 3)
    time_s: Floats,  # (T,)
    *,
    min_cutoff_hz: float = MIN_CUTOFF_HZ,
    beta: float = BETA_HZ_PER_MM_S,
) -> Floats:  # (T, ..., 3)
    """A low-pass filter of first order whose cutoff rises with speed."""
    result = points.copy()
    speed = np.zeros_like(points[0])
    for frame in range(1, len(points)):
        step_s = max(float(time_s[frame] - time_s[frame - 1]), 1e-6)
        now = (points[frame] - result[frame - 1]) / step_s
        speed += _share(np.array(DERIVATIVE_CUTOFF_HZ), step_s) * (now - speed)
        cutoff = min_cutoff_hz + beta * np.linalg.norm(speed, axis=-1, keepdims=True)
        result[frame] = result[frame - 1] + _share(cutoff, step_s) * (
            points[frame] - result[frame - 1]
        )
    return result


def savitzky_golay(
    points: Floats,  # (T, ..., 3)
    time_s: Floats,  # (T,) taken as even
    *,
    window_s: float = WINDOW_S,
) -> Floats:  # (T, ..., 3)
    """A cubic through the frames of a window, read off in its middle; a short clip stays as it is.

    Raises:
        ValueError: SciPy is not installed.
    """
    try:
        savgol_filter = importlib.import_module("scipy.signal").savgol_filter
    except ImportError as error:
        raise ValueError("savgol needs the package scipy: pip install 'posezoo[video]'") from error
    step_s = float(time_s[-1] - time_s[0]) / (len(time_s) - 1)
    half = max(round(window_s / max(step_s, 1e-6) / 2), 1)
    window = min(2 * half + 1, len(points) - 1 + len(points) % 2)
    if window <= _ORDER:
        return points
    smoothed: Floats = savgol_filter(points, window, _ORDER, axis=0)
    return smoothed


def _share(cutoff_hz: Floats, step_s: float) -> Floats:
    """How much of a new value is taken."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * step_s))
