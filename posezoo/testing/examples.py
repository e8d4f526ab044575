"""Small data with known truth: poses of invented bodies, seen by a pinhole camera, and noise."""

from __future__ import annotations

import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.geometry import root_relative
from posezoo.skeleton import H36M17, Skeleton

_BONE_MM, _MOVE_MM, _DISTANCE_MM = 250.0, 60.0, 5000.0


def people(
    count: int,
    *,
    frames: int = 1,
    size: int = 1000,
    pictures: bool = False,
    seed: int = 0,
    skeleton: Skeleton = H36M17,
) -> Batch:
    """People 5 m away in the middle of a picture of `size` px, each different, moving slowly."""
    body = torch.Generator().manual_seed(0)  # the same build whatever the seed: they look alike
    generator = torch.Generator().manual_seed(seed)
    bones = torch.randn(skeleton.num_joints, 3, generator=body)
    bones = bones / bones.norm(dim=-1, keepdim=True) * _BONE_MM
    noise = torch.randn(2, count, 1, skeleton.num_joints, 3, generator=generator) * _MOVE_MM
    time = torch.arange(frames)[:, None, None] * 0.1
    bones = bones + noise[0] * time.cos() + noise[1] * time.sin()
    joints: list[Tensor] = []
    for joint, parent in enumerate(skeleton.parents):  # a parent stands before its children
        start = joints[parent] if parent >= 0 else torch.zeros_like(bones[:, :, 0])
        joints.append(start + bones[:, :, joint])
    joints3d = root_relative(torch.stack(joints, 2), skeleton.root)
    root = torch.tensor([0.0, 0.0, _DISTANCE_MM]).expand(count, frames, 3)
    focal, centre = 1.9 * size, size / 2 - 0.5
    camera = Camera.make(focal_px=(focal, focal), centre_px=(centre, centre)).to(torch.float32)
    cameras = Camera(camera.parameters.repeat(count, 1))
    absolute = (joints3d + root[:, :, None]).flatten(1, 2)
    labelled = torch.ones(joints3d.shape[:3], dtype=torch.bool)
    return Batch(
        joints2d=cameras.project(absolute).view(*joints3d.shape[:3], 2),
        joints3d=joints3d,
        root_mm=root,
        labelled2d=labelled,
        labelled3d=labelled,
        visible=labelled,
        camera=cameras,
        subject=("P",) * count,
        action=("stand",) * count,
        sequence=("",) * count,
        image=(noise_picture(count, size, size) * 255).to(torch.uint8) if pictures else None,
    )


def noise_picture(count: int, height: int, width: int) -> Tensor:  # (B, 3, H, W) RGB in [0, 1]
    """Pictures of noise, always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, height, width, generator=generator)
