"""Two ways to say where a trunk is: as CMU's motion capture has it, and as detectors can see it."""

from __future__ import annotations

from torch import Tensor

from posezoo.skeleton import H36M17

SKULL = 1.42  # shoulders to the top of the head, over shoulders to where CMU's head ends
_NECK = 0.6  # of the way from shoulders to the top of the head


def trunk_from_limbs(
    joints: Tensor,  # (..., 17, 3) mm, Human3.6M-17
) -> Tensor:  # (..., 17, 3) mm
    """The trunk as it can be made of what 2D detectors find: limbs and the top of the head.

    Pelvis and thorax are the middles of hips and shoulders, the spine the middle of those. The
    head is lengthened, since motion capture ends it inside the skull; the neck follows it.
    """
    at = H36M17.joints.index
    moved = joints.clone()
    moved[..., at("pelvis"), :] = (
        joints[..., at("left_hip"), :] + joints[..., at("right_hip"), :]
    ) / 2
    thorax = (joints[..., at("left_shoulder"), :] + joints[..., at("right_shoulder"), :]) / 2
    head = thorax + SKULL * (joints[..., at("head"), :] - thorax)
    moved[..., at("thorax"), :] = thorax
    moved[..., at("spine"), :] = (moved[..., at("pelvis"), :] + thorax) / 2
    moved[..., at("head"), :] = head
    moved[..., at("neck"), :] = thorax + _NECK * (head - thorax)
    return moved
