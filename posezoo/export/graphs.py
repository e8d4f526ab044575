"""What is exported: networks as functions of tensors, from the picture to mm.

Decoding, the camera and all that undoes a normalisation are inside. What needs Python is not: who
is in a picture, and where to crop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import posezoo
from posezoo.camera import Camera
from posezoo.contracts import PoseResult
from posezoo.pipeline import Pipeline

_NUMBERS = 10  # of a camera


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One network, what it takes and gives, and what a reader of the file should know."""

    name: str  # of the file, after the user's; "" where there is one graph
    module: nn.Module
    inputs: dict[str, Tensor]  # two items of each, in the order of the arguments
    outputs: tuple[str, ...]
    facts: dict[str, str]


def graphs_of(
    pipeline: Pipeline,  # in eval mode, on the CPU
    *,
    crop_px: int = 0,  # side of the pictures that it was trained on
    margin: float = 0.0,  # of those crops
    licence: str = "",
) -> list[Graph]:
    """The graphs of a pipeline: one, or those of the detector that it is.

    Raises:
        ValueError: a detector and a lifter at once, or a detector without networks of its own.
    """
    facts = {
        "posezoo": posezoo.__version__,
        "spec": str(pipeline.spec),
        "licence": licence or "that of the data it was trained on",
    }
    if pipeline.detector is not None:
        return _of_detector(pipeline, facts)
    facts |= {"joint_set": pipeline.skeleton.name, "units": "px in, mm out", "camera": _CAMERA}
    if pipeline.has_image:
        facts |= {"kind": "pipeline", "image_px": str(crop_px), "margin": str(margin)}
        return [_of_pictures(pipeline, crop_px, facts)]
    return [_of_lifter(pipeline, facts)]


_CAMERA = (
    "fx, fy, cx, cy in px (centres of pixels are whole numbers), k1, k2, k3, p1, p2, and 2, or 0 "
    "of a guessed camera"
)


def _of_pictures(pipeline: Pipeline, crop_px: int, facts: dict[str, str]) -> Graph:
    picture = torch.zeros(2, 3, crop_px, crop_px, dtype=torch.uint8)
    camera = _cameras(crop_px)
    with torch.no_grad():
        result = pipeline(picture, Camera(camera))
    given = {"joints3d_mm": result.joints3d, "joints2d_px": result.joints2d}
    outputs = (*(name for name, value in given.items() if value is not None), "confidence")
    return Graph(
        name="",
        module=_Pictures(pipeline, outputs),
        inputs={"picture": picture, "camera": camera},
        outputs=outputs,
        facts=facts,
    )


def _of_lifter(pipeline: Pipeline, facts: dict[str, str]) -> Graph:
    lifter, told = pipeline.lifter, pipeline.skeleton2d
    generator = torch.Generator().manual_seed(0)
    joints2d = 400 + 100 * torch.randn(2, lifter.frames, told.num_joints, 2, generator=generator)
    inputs = {"joints2d_px": joints2d, "camera": _cameras(1000)}
    if lifter.takes_confidence:
        inputs["confidence"] = torch.ones(joints2d.shape[:-1])
    window = hasattr(lifter, "lift_window")
    facts = facts | {
        "kind": "lifter",
        "joint_set_2d": told.name,
        "frames": str(lifter.frames),
        "future": str(lifter.future),
        "answers": "window" if window else "frame",
        "takes_shorter": "yes" if getattr(lifter, "takes_shorter", False) else "no",
    }
    if hasattr(lifter, "joint_sets"):
        facts |= {"joint_sets": " ".join(lifter.joint_sets), "fewest": str(lifter.fewest)}
    lift = pipeline.lifted_window if window else pipeline.lifted
    outputs = ("joints3d_mm", *(("sigma_mm", "root_mm") if hasattr(lifter, "answer") else ()))
    return Graph(
        name="",
        module=_Lifter(pipeline, lift, len(outputs)),
        inputs=inputs,
        outputs=outputs,
        facts=facts,
    )


def _of_detector(pipeline: Pipeline, facts: dict[str, str]) -> list[Graph]:
    if pipeline.lifter is not None:
        raise ValueError(
            f"'{pipeline.spec}' is a detector and a lifter, which work one after the other: "
            f"export {pipeline.spec.detector} and the lifter by their own names"
        )
    networks = getattr(pipeline.detector, "networks", None)
    if networks is None:
        raise ValueError(
            f"'{pipeline.spec}' has no networks of its own: a library brings them, and exports them"
        )
    return [
        Graph(
            name=name,
            module=network,
            inputs={"picture": example},
            outputs=outputs,
            facts={**facts, "kind": "network", "joint_set": pipeline.detector.joint_set},
        )
        for name, (network, example, outputs) in networks().items()
    ]


def _cameras(size: int) -> Tensor:  # (2, 10)
    numbers = [1.1 * size, 1.1 * size, size / 2, size / 2, *[0.0] * 5, 2.0]
    return torch.tensor(numbers).expand(2, _NUMBERS).contiguous()


class _Pictures(nn.Module):
    def __init__(self, pipeline: Pipeline, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.pipeline, self.outputs = pipeline, outputs

    def forward(
        self,
        picture: Tensor,  # (B, 3, S, S) uint8 RGB
        camera: Tensor,  # (B, 10)
    ) -> tuple[Tensor, ...]:  # (B, J, 3) mm, (B, J, 2) px, (B, J)
        result = self.pipeline(picture, Camera(camera))
        named = {"joints3d_mm": result.joints3d, "joints2d_px": result.joints2d}
        clips = [named[name][:, 0] for name in self.outputs[:-1]]
        return *clips, result.confidence


class _Lifter(nn.Module):
    def __init__(self, pipeline: Pipeline, lift: Callable[..., PoseResult], outputs: int) -> None:
        super().__init__()
        self.pipeline, self.lift, self.outputs = pipeline, lift, outputs

    def forward(
        self,
        joints2d: Tensor,  # (B, frames, J, 2) px
        camera: Tensor,  # (B, 10)
        confidence: Tensor | None = None,  # (B, frames, J)
    ) -> Tensor | tuple[Tensor | None, ...] | None:
        # (B, 1 or frames, J, 3) mm; of who says them, sigma (B, frames, J) and root (B, frames, 3)
        result = self.lift(joints2d, Camera(camera), confidence)
        if self.outputs == 1:
            return result.joints3d
        return result.joints3d, result.sigma_mm, result.root_mm
