"""One forward of an imported pipeline, on an invented person or an invented picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import PoseResult
from posezoo.pipeline import Pipeline

_SIDE_PX = 256  # of a picture for a network that takes any


@torch.inference_mode()
def try_once(pipeline: Pipeline, *, origin: str) -> None:
    """Run the pipeline once.

    Raises:
        ValueError: it gives NaN or infinity.
    """
    height, width = picture_size(pipeline)
    focal, centre = 1.15 * max(height, width), (width / 2 - 0.5, height / 2 - 0.5)
    camera = Camera.make(focal_px=(focal, focal), centre_px=centre).to(torch.float32)
    camera = Camera(camera.parameters[None])
    random = torch.Generator().manual_seed(0)
    if pipeline.has_image:
        image = torch.rand(1, 3, height, width, generator=random)
        result: PoseResult = pipeline(image, camera)
        outputs = {"joints2d": result.joints2d, "joints3d": result.joints3d, "maps": result.maps}
    else:
        size = torch.tensor([width, height])
        joints = pipeline.skeleton2d.num_joints
        frames = pipeline.lifter.frames
        # A person over the middle half of the picture, moving a little.
        pose = torch.rand(1, 1, joints, 2, generator=random) / 2 + 0.25
        sway = torch.rand(1, frames, joints, 2, generator=random) / 50
        outputs = {"joints3d": pipeline.lift((pose + sway) * size, camera)}
    wrong = [name for name, value in outputs.items() if value is not None and not _finite(value)]
    if wrong:
        raise ValueError(f"{origin}: the network's {' and '.join(wrong)} are not finite numbers")


def picture_size(pipeline: Pipeline) -> tuple[int, int]:
    """Height and width, px, of a picture that the pipeline takes."""
    own = (getattr(part, "image_size", None) for part in (pipeline.head, pipeline.backbone))
    size: Any = next(filter(None, own), _SIDE_PX)
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _finite(value: Tensor) -> bool:
    return bool(value.isfinite().all())
