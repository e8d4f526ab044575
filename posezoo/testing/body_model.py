"""An invented body in the layout of an SMPL file, for tests: a stick figure of 240 vertices.

Ten vertices lie around each joint, whose mean it is. Pose and shape move them a little, at random.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PARENTS = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
# m, y up, x to the person's left, arms stretched out; a right joint mirrors the left one before it.
_MIDDLE = {0: (0.0, 0.0), 3: (0.1, 0.0), 6: (0.25, 0.0), 9: (0.3, 0.0), 12: (0.5, 0.0)}
_MIDDLE |= {15: (0.6, 0.0)}
_LEFT = {1: (0.1, -0.1, 0.0), 4: (0.1, -0.5, 0.0), 7: (0.1, -0.9, 0.0), 10: (0.1, -0.95, 0.1)}
_LEFT |= {13: (0.1, 0.45, 0.0), 16: (0.2, 0.45, 0.0), 18: (0.45, 0.45, 0.0)}
_LEFT |= {20: (0.7, 0.45, 0.0), 22: (0.8, 0.45, 0.0)}
_HEAD, _CROWN_M = 15, 0.2


def body_model_arrays(*, seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """The arrays by their names in the file; numbers in m, as SMPL has them."""
    rng = np.random.default_rng(seed)
    centres = np.zeros((24, 3))
    for joint, (y, z) in _MIDDLE.items():
        centres[joint] = 0, y, z
    for joint, (x, y, z) in _LEFT.items():
        centres[joint], centres[joint + 1] = (x, y, z), (-x, y, z)
    around = rng.normal(0, 0.02, (24, 10, 3))
    around -= around.mean(1, keepdims=True)
    around[_HEAD, 0, 1] += _CROWN_M
    around[_HEAD, 1, 1] -= _CROWN_M
    own = np.eye(24)
    with_parent = own[[max(parent, 0) for parent in _PARENTS]]
    return {
        "v_template": (centres[:, None] + around).reshape(240, 3),
        "shapedirs": rng.normal(0, 0.01, (240, 3, 10)),
        "posedirs": rng.normal(0, 0.002, (240, 3, 207)),
        "J_regressor": np.repeat(own / 10, 10, 1),
        "weights": np.repeat(0.8 * own + 0.2 * with_parent, 10, 0),
        "kintree_table": np.array([[2**32 - 1, *_PARENTS[1:]], range(24)], np.uint32),
        "f": np.zeros((4, 3), np.uint32),
    }


def write_body_model(path: Path, **changes: NDArray[np.generic] | None) -> Path:
    """Write it as an .npz, with arrays changed, or left out where None."""
    arrays = {**body_model_arrays(), **changes}
    kept: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
    np.savez(path, **kept)
    return path
