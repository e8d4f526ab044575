"""A tiny studio for the seeds of `fuzz_files`: a person of 32 joints, two cameras, five frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from posezoo.skeleton import H36M17

FRAMES = 5
VIEW = "54138969"
# The 17 of Human3.6M's 32 joints that everybody uses, in the order of h36m17.
USED = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
LENSES = {  # fx fy cx cy k1 k2 k3 p1 p2
    "54138969": (1145.0, 1143.8, 512.5, 515.5, -0.207, 0.248, -0.003, -0.0014, -0.001),
    "60457274": (1149.7, 1147.6, 508.8, 508.1, -0.194, 0.240, 0.007, -0.0027, -0.0016),
}
TURNS = {  # world to camera
    "54138969": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "60457274": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
}
PLACES = {
    "54138969": np.array([100.0, -5000, 1500]),
    "60457274": np.array([-4500.0, 300, 1400]),
}
_STANDING_MM = np.array([
    (0, 0, 930), (-110, 0, 920), (-120, -10, 490), (-125, 20, 90),
    (110, 0, 920), (120, -10, 490), (125, 20, 90),
    (0, 10, 1160), (0, 20, 1400), (0, 0, 1500), (0, -10, 1600),
    (150, 20, 1390), (300, 30, 1180), (420, 0, 1000),
    (-150, 20, 1390), (-300, 30, 1180), (-420, 0, 1000),
], float)  # fmt: skip


def world() -> np.ndarray:  # (F, 32, 3) mm, z up
    rng = np.random.default_rng(1)
    found = np.zeros((FRAMES, 32, 3))
    found[:] = rng.normal((0, 0, 1000), 300, (32, 3))
    found[:, USED] = _STANDING_MM + rng.normal(0, 30, (FRAMES, 17, 3))
    return found + np.arange(FRAMES)[:, None, None] * np.array([40.0, 25, 0])


def mm(view: str) -> np.ndarray:  # (F, 32, 3) mm, camera frame
    return (world() - PLACES[view]) @ TURNS[view].T


def px(view: str, *, distorted: bool = True) -> np.ndarray:  # (F, 32, 2)
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = LENSES[view]
    points = mm(view)
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    if distorted:
        r = x * x + y * y
        gain = 1 + k1 * r + k2 * r**2 + k3 * r**3 + p1 * y + p2 * x
        x, y = x * gain + p2 * r, y * gain + p1 * r
    return np.stack([fx * x + cx, fy * y + cy], -1)


def of_set(
    joints: tuple[str, ...],
    values: np.ndarray,  # (F, 32, n)
) -> np.ndarray:  # (F, J, n)
    """The person in that joint set; where h36m17 has no such joint, the pelvis."""
    own = H36M17.joints
    return values[:, USED][:, [own.index(joint) if joint in own else 0 for joint in joints]]


def cameras() -> dict[str, Any]:
    """The camera file of docs/data.md, for S1 and S9."""
    lenses = [
        {
            **dict(zip(("fx", "fy", "cx", "cy"), numbers, strict=False)),
            "id": name,
            "width": 1000,
            "height": 1002,
            "distortion_k1_k2_p1_p2_k3": [numbers[i] for i in (4, 5, 7, 8, 6)],
        }
        for name, numbers in LENSES.items()
    ]
    stands = [
        {
            "id": name,
            "R_world_to_camera": TURNS[name].tolist(),
            "position_mm": PLACES[name].tolist(),
        }
        for name in LENSES
    ]
    return {"intrinsics": lenses, "extrinsics": {"S1": stands, "S9": stands}}
