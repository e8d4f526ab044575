"""From people in a world to a batch that a camera saw: what Mocap and Synthetic have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posezoo.camera import Camera, world_to_camera
from posezoo.contracts import Batch
from posezoo.data.batches import make_batch
from posezoo.data.crop import inside, person_crop
from posezoo.data.scene.render import render_batch
from posezoo.data.scene.views import Rig, place

_NEAREST_MM = 300.0  # how near any joint may come to a camera
_ROOM_MM = 450.0  # what a camera that follows people leaves between
_FARTHEST_ASIDE = 1.0  # x/z and y/z: twice as far as a picture reaches; lens models end there


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A room with cameras. What `show` gives is a function of the poses, the seed and the index."""

    image_size: int  # px of the square picture around the person; 0: the camera's whole picture
    pictures: bool  # draw it, if image_size is not 0
    seed: int
    margin: float  # around the person on each side, as a share of the joints' box
    jitter: float  # crops move and resize by up to this share
    rig: Rig = field(default_factory=Rig.studio)
    radius_mm: float = 1000.0  # how far from the room's middle people stand

    def show(
        self,
        joints_world: Tensor,  # (N, T, J, 3) mm, world frame, z up, floor at 0
        index: NDArray[np.int64],  # (N,)
        *,
        present: int = 0,  # the frame of each clip that is to stand in the room
        subject: NDArray[np.str_],  # (N,)
        action: NDArray[np.str_],  # (N,)
        sequence: NDArray[np.str_] | None = None,  # (N,)
    ) -> Batch:
        """Place each person, choose a camera, project, and with a size crop and draw.

        A clip is placed by its present frame. Where its person walks into the camera before or
        after, or far out of the picture, the last good frame stands in for the rest.
        """
        world = place(joints_world, self.seed, index, present=present, radius_mm=self.radius_mm)
        views = self.rig.draw(self.seed, index, world[:, present, 0])
        joints = world_to_camera(world.flatten(1, 2), views.rotation, views.position_mm)
        if self.rig.follows:  # the camera steps back from whoever would touch it
            nearest = joints.view_as(world)[:, present, :, 2].amin(-1)
            joints[..., 2] += (_ROOM_MM - nearest).clamp_min(0)[:, None]
        joints = _in_sight(joints.view_as(world), present)
        camera, image = views.camera, None
        joints2d = _project(camera, joints)
        visible = inside(joints2d, views.size_px)
        if self.image_size:
            scale, offset = person_crop(
                joints2d.flatten(1, 2),
                size=self.image_size,
                margin=self.margin,
                jitter=self.jitter,
                seed=self.seed,
                index=index,
            )
            camera = camera.resampled(scale[:, None], offset)
            joints2d = _project(camera, joints)
            visible = inside(joints2d, self.image_size)
            if self.pictures:
                image, seen = render_batch(
                    joints[:, present],
                    camera,
                    size=self.image_size,
                    seed=self.seed,
                    index=index,
                    subject=subject.tolist(),
                    up=views.rotation[:, :, 2],
                )
                visible = seen[:, None]
        return make_batch(
            joints_mm=joints,
            joints2d=joints2d,
            visible=visible,
            camera=camera,
            subject=subject,
            action=action,
            sequence=sequence,
            image=image,
        )


def _project(
    camera: Camera,  # parameters (N, 10)
    joints: Tensor,  # (N, T, J, 3) mm, camera frame
) -> Tensor:  # (N, T, J, 2) px
    return camera.project(joints.flatten(1, 2)).unflatten(1, joints.shape[1:3])


def _in_sight(
    joints: Tensor,  # (N, T, J, 3) mm, camera frame
    present: int,
) -> Tensor:  # (N, T, J, 3) mm
    depth = joints[..., 2]
    aside = joints[..., :2].abs().amax(-1)
    good = ((depth >= _NEAREST_MM) & (aside <= _FARTHEST_ASIDE * depth)).all(-1)
    if good.all():
        return joints
    frames = joints.shape[1]
    kept = torch.arange(frames).repeat(len(joints), 1)
    for path in (range(present + 1, frames), range(present - 1, -1, -1)):
        for t in path:
            before = t - path.step
            still = good[:, t] & (kept[:, before] == before)
            kept[:, t] = torch.where(still, t, kept[:, before])
    return joints[torch.arange(len(joints))[:, None], kept]
