"""From people in a world to a batch that a camera saw: what Mocap and Synthetic have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from posezoo.camera import world_to_camera
from posezoo.contracts import Batch
from posezoo.data.batches import make_batch
from posezoo.data.crop import inside, person_crop
from posezoo.data.render import render_batch
from posezoo.data.views import Rig, place


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
        joints_world: Tensor,  # (N, J, 3) mm, world frame, z up, floor at 0
        index: NDArray[np.int64],  # (N,)
        *,
        subject: NDArray[np.str_],  # (N,)
        action: NDArray[np.str_],  # (N,)
    ) -> Batch:
        """Place each person, choose a camera, project, and with a size crop and draw."""
        world = place(joints_world[:, None], self.seed, index, radius_mm=self.radius_mm)[:, 0]
        views = self.rig.draw(self.seed, index)
        joints = world_to_camera(world, views.rotation, views.position_mm)
        camera, joints2d, image = views.camera, views.camera.project(joints), None
        visible = views.inside(joints2d)
        if self.image_size:
            scale, offset = person_crop(
                joints2d,
                size=self.image_size,
                margin=self.margin,
                jitter=self.jitter,
                seed=self.seed,
                index=index,
            )
            camera = camera.resampled(scale[:, None], offset)
            joints2d = camera.project(joints)
            visible = inside(joints2d, self.image_size)
            if self.pictures:
                image, visible = render_batch(
                    joints,
                    camera,
                    size=self.image_size,
                    seed=self.seed,
                    index=index,
                    subject=subject.tolist(),
                    up=views.rotation[:, :, 2],
                )
        return make_batch(
            joints_mm=joints,
            joints2d=joints2d,
            visible=visible,
            camera=camera,
            subject=subject,
            action=action,
            image=image,
        )
