"""SMPL as a function of joint rotations and shape, from a file that the user has.

Loper et al. 2015, "SMPL: A Skinned Multi-Person Linear Model". The arithmetic is the `smplx`
package's; the model comes from its authors' site under their terms (docs/body_models.md), is read
where it lies and is never part of a checkpoint. Only what some joint needs is skinned: a joint of
the kinematic tree is a vertex of a small mesh that moves with it alone.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from posezoo.joint_maps import joint_map, map_joints
from posezoo.npz_file import read_arrays
from posezoo.skeleton import SKELETONS, Skeleton

NUM_ROTATIONS = 24  # of the pelvis in the camera frame, then of 23 joints in their parents'
NUM_SHAPE = 10
_SET = SKELETONS["smpl25"]
_HEAD = _SET.joints.index("head")
_MM = 1000.0
# Name in the file, and its shape; V vertices, S at least `NUM_SHAPE`.
_ARRAYS = {
    "v_template": ("V", 3),
    "shapedirs": ("V", 3, "S"),
    "posedirs": ("V", 3, 9 * (NUM_ROTATIONS - 1)),
    "J_regressor": (NUM_ROTATIONS, "V"),
    "weights": ("V", NUM_ROTATIONS),
    "kintree_table": (2, NUM_ROTATIONS),
}


class BodyModel(nn.Module):
    """Rotations and shape to the joints of a skeleton.

    Args:
        path: an .npz with the arrays of an SMPL file.
        skeleton: whose joints come out.

    Raises:
        ValueError: the file is no SMPL model, or `smplx` is not installed.
    """

    template: Tensor  # (K, 3) m, y up: the small mesh at rest, joints of the tree first
    shape_directions: Tensor  # (K, 3, S)
    pose_directions: Tensor  # (9 * 23, K * 3)
    joint_regressor: Tensor  # (24, K)
    weights: Tensor  # (K, 24)
    parents: Tensor  # (24,) int64

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        super().__init__()
        if (rules := joint_map(_SET, skeleton)).joints("impossible"):
            raise ValueError(f"a body model cannot be {skeleton.name}: {rules.describe()}")
        self._lbs = _package().lbs
        self.skeleton = skeleton
        arrays = read_body_model(path)
        tree = arrays["J_regressor"]
        crown = _crown(arrays)
        rest = tree @ arrays["v_template"]
        still = np.zeros((NUM_ROTATIONS, *arrays["posedirs"].shape[1:]))
        mesh = {
            "template": np.concatenate([rest, arrays["v_template"][crown]]),
            "shape_directions": np.concatenate(
                [np.einsum("jv,vxs->jxs", tree, arrays["shapedirs"]), arrays["shapedirs"][crown]]
            )[..., :NUM_SHAPE],
            "pose_directions": np.concatenate([still, arrays["posedirs"][crown]])
            .reshape(-1, still.shape[-1])
            .T,
            "joint_regressor": np.eye(NUM_ROTATIONS, NUM_ROTATIONS + len(crown)),
            "weights": np.concatenate([np.eye(NUM_ROTATIONS), arrays["weights"][crown]]),
        }
        for name, array in mesh.items():
            values = torch.tensor(array.tolist(), dtype=torch.float32)  # obeys torch.device(...)
            self.register_buffer(name, values, persistent=False)
        parents = [-1, *arrays["kintree_table"][0, 1:].astype(int).tolist()]
        self.register_buffer("parents", torch.tensor(parents), persistent=False)

    def forward(
        self,
        rotations: Tensor,  # (B, 24, 3, 3)
        shape: Tensor,  # (B, 10) standard deviations
    ) -> Tensor:  # (B, J, 3) mm, in the frame that the first rotation leads to
        """Pose the body, and read the skeleton's joints off it."""
        points, _ = self._lbs(
            shape,
            rotations.contiguous(),  # it takes views
            self.template[None],
            self.shape_directions,
            self.pose_directions,
            self.joint_regressor,
            self.parents,
            self.weights,
            pose2rot=False,
        )
        joints, _ = map_joints(points * _MM, _SET, self.skeleton)
        return joints


def read_body_model(path: Path) -> dict[str, NDArray[np.float64]]:
    """The arrays of an SMPL model, checked against each other.

    Raises:
        ValueError: it is another kind of file, or an array is missing or of another shape.
    """
    how = "docs/body_models.md says how to make one of SMPL's own file"
    try:
        found = read_arrays(path, *_ARRAYS)
    except ValueError as error:
        raise ValueError(f"body model {error}; {how}") from error
    arrays, sizes = {}, {"S": NUM_SHAPE}
    for name, wanted in _ARRAYS.items():
        array = found[name]
        if name == "v_template" and array.ndim:
            sizes["V"] = len(array)
        if name == "shapedirs" and array.ndim:
            sizes["S"] = max(NUM_SHAPE, array.shape[-1])
        expected = tuple(sizes.get(str(side), side) for side in wanted)
        if array.shape != expected or array.dtype.kind not in "fiu":
            raise ValueError(
                f"body model {path}: '{name}' is {array.dtype} {array.shape}, expected numbers "
                f"{expected}; {how}"
            )
        arrays[name] = array.astype(np.float64)
        if not (np.abs(arrays[name]) < np.finfo(np.float32).max).all():
            raise ValueError(f"body model {path}: '{name}' has numbers that are not finite")
    parents = arrays["kintree_table"][0, 1:]
    if not ((parents >= 0) & (parents < np.arange(1, NUM_ROTATIONS))).all():
        raise ValueError(f"body model {path}: 'kintree_table' has a joint before its parent")
    return arrays


def _crown(arrays: dict[str, NDArray[np.float64]]) -> NDArray[np.int64]:  # (1,)
    """The highest vertex at rest of those that move with the head."""
    of_head = arrays["weights"].argmax(1) == _HEAD
    return np.array([np.where(of_head, arrays["v_template"][:, 1], -np.inf).argmax()])


def _package() -> Any:
    try:
        return importlib.import_module("smplx.lbs")
    except ModuleNotFoundError as error:
        raise ValueError(
            "a body model needs smplx, whose terms allow research only: pip install 'posezoo[smpl]'"
        ) from error
