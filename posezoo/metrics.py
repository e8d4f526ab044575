"""Errors of predicted poses on plain tensors (for an array: `torch.from_numpy(array)`).

Those of poses take absolute or root-relative joints in mm and give one number a pose and joint;
what is subtracted or fitted first is what their names say. A pose that is not finite has NaN or
infinity, and changes no other; half and bfloat16 are computed, and given, in float32, since 1000 mm
squared is more than half can hold. Averages over poses are the protocol's business
(`posezoo.evaluation.protocol`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from posezoo.geometry import at_least_float32, procrustes_align, root_relative
from posezoo.skeleton import Skeleton

AUC_THRESHOLDS_MM = tuple(range(0, 151, 5))  # 31 of them, as MPI-INF-3DHP's own evaluation


def mpjpe(
    predicted: Tensor,  # (..., J, 3) mm
    target: Tensor,  # (..., J, 3) mm
    root: int = 0,
) -> Tensor:  # (..., J) mm
    """Distance of each joint after both poses are centred on their roots (protocol 1).

    Example:
        >>> target = torch.tensor([[0.0, 0, 0], [0, 300, 0], [0, 300, 400]])
        >>> elsewhere = target + torch.tensor([1000.0, 0, 0])
        >>> elsewhere[2] += torch.tensor([30.0, 40, 0])
        >>> mpjpe(elsewhere, target)
        tensor([ 0.,  0., 50.])
    """
    return _distance(*(root_relative(at_least_float32(each), root) for each in (predicted, target)))


def n_mpjpe(
    predicted: Tensor,  # (..., J, 3) mm
    target: Tensor,  # (..., J, 3) mm
    root: int = 0,
    labelled: Tensor | None = None,  # (..., J) bool: the joints to fit by; None: all
) -> Tensor:  # (..., J) mm
    """As `mpjpe`, after the one scale that fits the prediction best (Rhodin et al. 2018).

    Example:
        >>> target = torch.tensor([[0.0, 0, 0], [0, 300, 0], [0, 300, 400]])
        >>> n_mpjpe(target / 2, target)
        tensor([0., 0., 0.])
    """
    a, b = (root_relative(at_least_float32(each), root) for each in (predicted, target))
    own, true = (
        each if labelled is None else each.where(labelled[..., None], 0) for each in (a, b)
    )
    product, square = ((own * x).sum((-1, -2), keepdim=True) for x in (true, own))
    return _distance(product / square.clamp_min(1e-9) * a, b)


def pa_mpjpe(
    predicted: Tensor,  # (..., J, 3) mm
    target: Tensor,  # (..., J, 3) mm
    labelled: Tensor | None = None,  # (..., J) bool: the joints to fit by; None: all
) -> Tensor:  # (..., J) mm
    """Distance of each joint after the best rotation, translation and scale (protocol 2).

    Example:
        >>> target = torch.tensor([[0.0, 0, 0], [0, 300, 0], [0, 300, 400]])
        >>> turned = 2 * target[:, [1, 2, 0]] + 77  # the axes change places
        >>> pa_mpjpe(turned, target).max().item() < 0.01
        True
    """
    return _distance(procrustes_align(predicted, target, labelled), target)


def pck_3d(
    error: Tensor,  # (..., J) mm, of `mpjpe` or another
    threshold_mm: float = 150.0,
) -> Tensor:  # (..., J) 1 where the joint is right, else 0; NaN where the error is
    """Whether each joint is at most so far off; its mean is the 3DPCK (Mehta et al. 2017).

    Example:
        >>> pck_3d(torch.tensor([149.0, 151.0]))
        tensor([1., 0.])
    """
    return (error <= threshold_mm).to(error.dtype).where(~error.isnan(), torch.nan)


def auc_3d(
    error: Tensor,  # (..., J) mm
) -> Tensor:  # (..., J) from 0 to 1
    """Mean of `pck_3d` over the thresholds 0, 5, ... 150 mm.

    Example:
        >>> auc_3d(torch.tensor([0.0, 72.0, 151.0]))  # within 31, 16 and none of the thresholds
        tensor([1.0000, 0.5161, 0.0000])
    """
    thresholds = torch.tensor(AUC_THRESHOLDS_MM, dtype=error.dtype, device=error.device)
    within = (error[..., None] <= thresholds).to(error.dtype).mean(-1)
    return within.where(~error.isnan(), torch.nan)


def within_claims(
    error: Tensor,  # (..., J) mm, of `mpjpe`
    sigma: Tensor,  # (..., J) mm, as the prediction claims of each; 0: of what is 0 by meaning
) -> dict[str, Tensor]:  # (..., J): 1 where the error is as small as claimed, NaN where none is
    """Whether each error is within sigma (as 68 % should be) and 2 sigma (95 %).

    Errors are distances in 3D. An honest claim has means of 0.68 and 0.95.

    Example:
        >>> found = within_claims(torch.tensor([10.0, 19.0, 21.0]), torch.full((3,), 10.0))
        >>> found["within_68"].tolist(), found["within_95"].tolist()
        ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0])
    """
    claims = {"within_68": 1.0, "within_95": 2.0}
    counts = (sigma > 0) & ~error.isnan()
    return {
        name: (error <= factor * sigma).to(error.dtype).where(counts, torch.nan)
        for name, factor in claims.items()
    }


def mpjve(
    predicted: Tensor,  # (..., T, J, 3) mm, root-relative
    target: Tensor,  # (..., T, J, 3) mm, root-relative
    fps: float,
) -> Tensor:  # (..., T - 1, J) mm/s
    """Error of each joint's velocity, by differences of consecutive frames.

    The literature gives it in mm per frame, which depends on the frame rate: divide by `fps`.

    Example:
        >>> still = torch.zeros(2, 17, 3)
        >>> moved = still.clone()
        >>> moved[1, :, 0] = 10.0  # 10 mm in a frame of 1/50 s
        >>> mpjve(moved, still, fps=50.0)[0, 0]
        tensor(500.)
    """
    return _distance(*(at_least_float32(each).diff(dim=-3) for each in (predicted, target))) * fps


def bone_length_error(
    predicted: Tensor,  # (..., J, 3) mm
    target: Tensor,  # (..., J, 3) mm
    skeleton: Skeleton,
) -> Tensor:  # (..., J) mm, of the bone that ends in each joint; NaN at the root
    """How much too long (or short) each bone is, as a distance.

    Example:
        >>> from posezoo.skeleton import H36M17
        >>> pose = torch.zeros(17, 3)
        >>> pose[6, 1] = 400.0  # a left shin of 400 mm, all other bones of none
        >>> bone_length_error(1.1 * pose, pose, H36M17)[6].round()
        tensor(40.)
    """
    return (_bone_lengths(predicted, skeleton) - _bone_lengths(target, skeleton)).abs()


def symmetry_error(
    predicted: Tensor,  # (..., J, 3) mm
    skeleton: Skeleton,
) -> Tensor:  # (..., J) mm, of the bone that ends in each joint; NaN where it has no counterpart
    """By how much left and right bones of one predicted body differ; needs no truth.

    Example:
        >>> from posezoo.skeleton import H36M17
        >>> pose = torch.zeros(17, 3)
        >>> pose[6, 1] = 400.0  # a left shin, and no right one
        >>> symmetry_error(pose, H36M17)[[3, 6]]
        tensor([400., 400.])
    """
    mirror, parents = skeleton.mirror, skeleton.parents
    paired = [
        mirror[j] != j and parent >= 0 and mirror[parent] == parents[mirror[j]]
        for j, parent in enumerate(parents)
    ]
    lengths = _bone_lengths(predicted, skeleton)
    difference = (lengths - lengths[..., list(mirror)]).abs()
    return difference.where(torch.tensor(paired, device=predicted.device), torch.nan)


def error_2d(
    predicted: Tensor,  # (..., J, 2) px
    target: Tensor,  # (..., J, 2) px
) -> Tensor:  # (..., J) px
    """Distance of each joint in the picture that the network sees.

    Example:
        >>> error_2d(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
        tensor([5.])
    """
    return _distance(predicted, target)


def _bone_lengths(joints: Tensor, skeleton: Skeleton) -> Tensor:  # (..., J), NaN at the root
    lengths = _distance(joints, joints[..., [max(0, parent) for parent in skeleton.parents], :])
    is_root = torch.tensor([parent < 0 for parent in skeleton.parents], device=joints.device)
    return lengths.masked_fill(is_root, torch.nan)


def _distance(predicted: Tensor, target: Tensor) -> Tensor:
    return (at_least_float32(predicted) - at_least_float32(target)).norm(dim=-1)
