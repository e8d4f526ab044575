"""Changes of the person, for lifters: another body, another side of it. They need no picture.

The new 3D joints are projected anew, so that 2D, 3D and camera agree. An item is left as it is if
not all of its joints have 3D labels, or if a joint would come too near to the camera.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from posezoo.contracts import Batch
from posezoo.data.augment.change import change
from posezoo.data.augment.random_stream import RandomStream
from posezoo.limits import Range, Share
from posezoo.skeleton import Skeleton

_NEAREST_MM = 200.0


@change
class Body:
    """A larger or smaller person with bones of other proportions, the pelvis where it was."""

    scale: Annotated[float, Range(0, 0.9)] = 0.1  # of the whole, at most, either way
    bones: Annotated[float, Range(0, 0.9)] = 0.05  # of each bone by itself, left as right
    chance: Share = 1.0

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The changed batch."""
        strength = stream.strength(1 + skeleton.num_joints, self.chance).to(batch.joints3d)
        one_of_pair = [min(pair) for pair in enumerate(skeleton.mirror)]
        factor = (1 + self.scale * strength[:, :1]) * (1 + self.bones * strength[:, 1:])
        factor = factor[:, one_of_pair, None]  # (B, J, 1), of the bone that ends at the joint
        parents = [max(parent, 0) for parent in skeleton.parents]
        bone = batch.joints3d - batch.joints3d[:, :, parents]
        joints3d = _chains(skeleton).to(bone) @ (bone * factor[:, None])
        return _shown(batch, joints3d, batch.root_mm)


@change
class Viewpoint:
    """The camera goes round the person: the whole clip turns about its mean root.

    `yaw` is about the camera's own y axis; a batch does not know where up is. So a camera that
    looks down by some angle comes to look up by as much from the other side, and to roll by as
    much between: its pitch is no longer that of the rig. `pitch` and `roll` add to that.
    """

    yaw: Annotated[float, Range(0, 180)] = 180.0  # degrees at most, either way
    pitch: Annotated[float, Range(0, 180)] = 15.0
    roll: Annotated[float, Range(0, 180)] = 5.0
    chance: Share = 1.0

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The changed batch."""
        strength = stream.strength(3, self.chance).to(batch.joints3d)
        degrees = strength * strength.new_tensor([self.yaw, self.pitch, self.roll])
        yaw, pitch, roll = torch.deg2rad(degrees).unbind(-1)
        turn_t = (_about(2, roll) @ _about(0, pitch) @ _about(1, yaw)).transpose(-1, -2)
        pivot = batch.root_mm.mean(1, keepdim=True)
        root = (batch.root_mm - pivot) @ turn_t + pivot
        return _shown(batch, batch.joints3d @ turn_t[:, None], root)


def _shown(
    batch: Batch,
    joints3d: Tensor,  # (B, T, J, 3) mm, root-relative
    root_mm: Tensor,  # (B, T, 3) mm
) -> Batch:
    if batch.image is not None:
        raise ValueError(
            "body and viewpoint change the person, and a picture cannot follow: use them for a "
            "lifter on data without pictures"
        )
    if batch.joints2d.shape[2] != joints3d.shape[2]:
        raise ValueError(
            "body and viewpoint project the joints anew, and the 2D joints are of the lifter's own "
            "set: use them where both are of one set"
        )
    absolute = joints3d + root_mm[:, :, None]
    fits = batch.labelled3d.flatten(1).all(1) & (absolute[..., 2] > _NEAREST_MM).flatten(1).all(1)
    fits = fits[:, None, None, None]
    seen = batch.camera.project(absolute.flatten(1, 2)).view_as(batch.joints2d)
    if batch.confidence is not None:  # detected: their errors stay
        before = (batch.joints3d + batch.root_mm[:, :, None]).flatten(1, 2)
        seen = seen + batch.joints2d - batch.camera.project(before).view_as(seen)
    return replace(
        batch,
        joints2d=seen.where(fits, batch.joints2d),
        joints3d=joints3d.where(fits, batch.joints3d),
        root_mm=root_mm.where(fits[..., 0], batch.root_mm),
    )


def _chains(skeleton: Skeleton) -> Tensor:  # (J, J): 1 where bone k lies between root and joint j
    chain = torch.eye(skeleton.num_joints)
    for joint in range(skeleton.num_joints):
        above = skeleton.parents[joint]
        while above >= 0:
            chain[joint, above] = 1
            above = skeleton.parents[above]
    return chain


def _about(
    axis: int,  # 0 x, 1 y, 2 z
    radians: Tensor,  # (B,)
) -> Tensor:  # (B, 3, 3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = torch.zeros(len(radians), 3, 3, dtype=radians.dtype, device=radians.device)
    turn[:, axis, axis] = 1
    turn[:, i, i] = turn[:, j, j] = radians.cos()
    turn[:, j, i], turn[:, i, j] = radians.sin(), -radians.sin()
    return turn
