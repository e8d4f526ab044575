"""Another room behind the person. A batch holds no mask, so the person's outline is derived.

It is the outline of the body that the renderer puts around 17 joints
(`posezoo.data.scene.solids`), seen
by the batch's camera. On drawn pictures that is the person itself, with hair and girth of that
name; a seat or pole beside the person goes with the old room. On photographs it is an estimate, to
be widened by `margin_mm`. Done on the CPU.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from posezoo.contracts import Batch
from posezoo.data.augment.change import change
from posezoo.data.augment.pixels import picture, to_bytes
from posezoo.data.augment.random_stream import RandomStream
from posezoo.data.scene.appearance import draw_looks
from posezoo.data.scene.backdrop import draw_backdrop
from posezoo.data.scene.raster import Rods, rasterise
from posezoo.data.scene.solids import Solids, add_body, unit
from posezoo.limits import Range, Share
from posezoo.skeleton import H36M17, Skeleton

_EDGE_PX = 3  # the outline is kept with the soft pixel around it
_FIRST_ROOM = 1 << 62  # rooms are counted from here: none is that of a drawn item


@change
class Background:
    """Whatever is not the person becomes another room."""

    margin_mm: Annotated[float, Range(0, 500)] = 0.0  # around the body, kept with it
    chance: Share = 0.5

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The batch with other rooms; an item without all of its 3D labels keeps its own."""
        image = picture(batch, self)
        if skeleton.joints != H36M17.joints:
            raise ValueError(f"augment: 'background' knows h36m17 only, not {skeleton.name}")
        known = batch.labelled3d.flatten(1).all(1)
        chosen = (stream.happens(self.chance) & known).nonzero()[:, 0]
        if not len(chosen):
            return batch
        some = batch.items(chosen).to("cpu")
        joints = (some.joints3d[:, 0] + some.root_mm[:, 0, None]).double().numpy()
        size = max(image.shape[-2:])
        number_of_room = (stream.draw(1, "room")[:, 0] * _FIRST_ROOM).astype(np.int64)
        room = draw_backdrop(
            joints,
            some.camera.parameters.double().numpy(),
            np.tile([0.0, -1.0, 0.0], (len(joints), 1)),
            unit(np.tile([0.4, -0.8, -0.4], (len(joints), 1))),
            size=size,
            seed=stream.seed,
            index=_FIRST_ROOM + number_of_room[chosen.cpu().numpy()],
        )
        height, width = image.shape[-2:]
        person = self._outline(some, joints, size)[:, None, :height, :width]
        rooms = to_bytes(torch.from_numpy(255 * room).permute(0, 3, 1, 2))[..., :height, :width]
        assert some.image is not None  # `picture` looked
        changed = image.clone()
        changed[chosen] = torch.where(person, some.image, rooms).to(image.device)
        return replace(batch, image=changed)

    def _outline(
        self,
        batch: Batch,
        joints: NDArray[np.float64],  # (N, 17, 3) mm, camera frame, absolute
        size: int,
    ) -> Tensor:  # (N, size, size) bool
        count = len(joints)
        solids = Solids(count)
        add_body(solids, joints, draw_looks(0, np.arange(count), batch.subject))
        ends = np.stack(solids.ends, 1)
        radius = np.stack(solids.radius, 1) + self.margin_mm
        depth = np.maximum(ends[..., 2], 1.0)  # the rasteriser leaves out what is behind
        points = np.concatenate([ends[..., :2], depth[..., None]], -1).reshape(count, -1, 3)
        camera = batch.camera.to(torch.float64)
        focal = camera.focal.mean(-1).numpy()[:, None, None]
        px = camera.project(torch.from_numpy(points)).numpy().reshape(*depth.shape, 2)
        surface = rasterise(
            Rods(
                ends_px=px.astype(np.float32),
                depth_mm=ends[..., 2].astype(np.float32),
                radius_px=(radius * focal / depth).astype(np.float32),
                radius_mm=radius.mean(-1).astype(np.float32),
            ),
            size,
        )
        drawn = np.zeros(count * size * size, np.float32)
        drawn[surface.pixel] = 1
        mask = torch.from_numpy(drawn).view(count, 1, size, size)
        return functional.max_pool2d(mask, _EDGE_PX, 1, _EDGE_PX // 2)[:, 0] > 0
