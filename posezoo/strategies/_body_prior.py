"""Real people's body parameters, against which those of a head are judged (HMR).

Kanazawa et al. 2018, arXiv:1712.06584: the head learns to make bodies that a discriminator takes
for real ones, and the discriminator learns to tell them apart. Both steps are taken at once here,
on the same batch, where HMR takes turns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.contracts import Learner
from posezoo.npz_file import read_arrays

_BODY = 21  # joints that SMPL shares with SMPL-H; its two hands follow, which are held still
_JOINTS = 23
_SHAPE = 10
_LARGEST = 1e4  # rad, and standard deviations


class RealBodies:
    """Poses and shapes of people, from a file in AMASS's layout.

    Args:
        path: an .npz with `poses` (N, 66 or more) axis-angle, the pelvis first, and `betas`
            (10 or more) or (N, 10 or more).
        weight: of both terms.

    Raises:
        ValueError: the file is something else.
    """

    def __init__(self, path: Path, weight: float) -> None:
        poses, shapes = _read(path)
        self.weight = weight
        self.rotations = _from_axis_angle(
            torch.from_numpy(poses[:, 3 : 3 * (1 + _BODY)].astype(np.float32))
        )
        shapes = np.broadcast_to(shapes[..., :_SHAPE], (len(poses), _SHAPE))
        self.shapes = torch.from_numpy(shapes.astype(np.float32))

    def terms(
        self,
        pipeline: Learner,
        maps: Tensor,  # raw maps of a head with `bodies` and `prior`
    ) -> dict[str, Tensor]:
        """The weighted terms, against as many real people drawn from torch's own generator."""
        body = pipeline.head.bodies(maps)
        drawn = torch.randint(len(self.shapes), (len(maps),))
        hands = torch.eye(3).expand(len(maps), _JOINTS - _BODY, 3, 3)
        real = torch.cat([self.rotations[drawn], hands], 1), self.shapes[drawn]
        terms: dict[str, Tensor] = pipeline.head.prior.terms(
            (body.rotations[:, 1:], body.shape), tuple(values.to(maps.device) for values in real)
        )
        return {name: self.weight * term for name, term in terms.items()}


def _read(path: Path) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    wanted = "poses (N, 66 or more) and betas (10 or more) or (N, 10 or more), as AMASS has them"
    try:
        poses, shapes = read_arrays(path, "poses", "betas").values()
    except ValueError as error:
        raise ValueError(f"prior={error}; expected an .npz with {wanted}") from error
    fits = (
        poses.ndim == 2 and poses.shape[1] >= 3 * (1 + _BODY) and len(poses),
        shapes.ndim in (1, 2) and shapes.shape[-1] >= _SHAPE,
        shapes.ndim < 2 or len(shapes) in (1, len(poses)),
        all(a.dtype.kind == "f" and (np.abs(a) < _LARGEST).all() for a in (poses, shapes)),
    )
    if not all(fits):
        raise ValueError(f"prior={path}: poses {poses.shape}, betas {shapes.shape}; needs {wanted}")
    return poses, shapes


def _from_axis_angle(
    turns: Tensor,  # (N, 3 J) rad
) -> Tensor:  # (N, J, 3, 3)
    """The exponential of each turn's cross product matrix."""
    x, y, z = turns.unflatten(-1, (-1, 3)).unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.linalg.matrix_exp(torch.stack(rows, -1).unflatten(-1, (3, 3)))
