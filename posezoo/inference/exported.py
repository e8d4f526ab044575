"""Pipelines that run in onnxruntime: files of `posezoo export` behind the contracts of the zoo.

A file that takes pictures is a head that gives 3D, on a backbone that hands the picture on; a file
that takes joints is a lifter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import PoseResult
from posezoo.export.trial import onnx_session
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_pipeline
from posezoo.skeleton import get_skeleton


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a file holds."""

    pipeline: Pipeline
    crop_px: int  # side of the pictures that it takes; 0: it takes joints
    margin: float  # around the person in those crops


def read_exported(path: Path) -> Exported:
    """The pipeline of an ONNX file, in eval mode, on the CPU.

    Raises:
        ValueError: no file, onnxruntime is not installed, or the file is not of posezoo or not 3D.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there; posezoo export RUN --out {path} writes one")
    session = onnx_session(path)
    facts: dict[str, str] = session.get_modelmeta().custom_metadata_map
    kind = facts.get("kind")
    if kind not in ("pipeline", "lifter"):
        what = f"one {kind} of '{facts['spec']}'" if "spec" in facts else "not from posezoo export"
        raise ValueError(f"{path} is {what}: expected the file of a run or of a lifter")
    if "joints3d_mm" not in {each.name for each in session.get_outputs()}:
        raise ValueError(f"{path} gives 2D joints only: export a run that has a lifter")
    try:
        spec, skeleton = parse_pipeline(facts["spec"]), get_skeleton(facts["joint_set"])
        head = _Head(session) if kind == "pipeline" else None
        lifter = _lifter(session, facts) if kind == "lifter" else None
        crop_px, margin = int(facts.get("image_px", 0)), float(facts.get("margin", 0))
    except KeyError as error:
        raise ValueError(f"{path}: its metadata lack {error}; export it again") from error
    pipeline = Pipeline(
        spec=spec, skeleton=skeleton, backbone=head and _Picture(), head=head, lifter=lifter
    )
    return Exported(pipeline=pipeline.eval(), crop_px=crop_px, margin=margin)


class _Picture(nn.Module):
    """Hands the picture on: the graph takes it as it is."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return (image,)


class _Head(nn.Module):
    """See `posezoo.contracts.PoseHead`; its raw maps are the picture."""

    output = "joints3d"

    def __init__(self, session: Any) -> None:
        super().__init__()
        self.session = session

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        return features[-1]

    def decode(self, maps: Tensor, camera: Camera) -> PoseResult:
        picture = (255 * maps).round().to(torch.uint8)
        outputs = _run(self.session, picture, camera.parameters)
        joints2d = outputs.get("joints2d_px")
        return PoseResult(
            joints2d=None if joints2d is None else joints2d[:, None],
            joints3d=outputs["joints3d_mm"][:, None],
            confidence=outputs["confidence"],
        )


def _lifter(session: Any, facts: dict[str, str]) -> nn.Module:
    by_window = facts["answers"] == "window"
    lifter = (_WindowLifter if by_window else _Lifter)(session)
    lifter.frames, lifter.future = int(facts["frames"]), int(facts["future"])
    lifter.present = lifter.frames - 1 - lifter.future if by_window else 0
    lifter.takes_confidence = "confidence" in {each.name for each in session.get_inputs()}
    if facts["joint_set_2d"] != facts["joint_set"]:
        lifter.joints2d = facts["joint_set_2d"]
    if sets := facts.get("joint_sets", ""):
        lifter.joint_sets, lifter.fewest = tuple(sets.split()), int(facts["fewest"])
    return lifter


class _Lifter(nn.Module):
    """See `posezoo.contracts.Lifter`."""

    frames: int
    future: int
    takes_confidence: bool
    present: int  # which of the frames that the graph gives is the predicted one
    joints2d = ""

    def __init__(self, session: Any) -> None:
        super().__init__()
        self.session = session

    def forward(self, joints2d: Tensor, camera: Camera, *confidence: Tensor) -> Tensor:
        """Each frame with the frames around it, all at once: the graph takes `frames` of them."""
        people, steps = joints2d.shape[0], joints2d.shape[1] - self.frames + 1
        given = [
            each.unfold(1, self.frames, 1).movedim(-1, 2).flatten(0, 1)
            for each in (joints2d, *confidence)
        ]
        cameras = camera.parameters.repeat_interleave(steps, 0)
        outputs = _run(self.session, given[0], cameras, *given[1:])
        return outputs["joints3d_mm"][:, self.present].unflatten(0, (people, steps))


class _WindowLifter(_Lifter):
    """One that answers for all frames of a window."""

    def lift_window(self, joints2d: Tensor, camera: Camera, *confidence: Tensor) -> Tensor:
        """The whole window."""
        return _run(self.session, joints2d, camera.parameters, *confidence)["joints3d_mm"]


def _run(session: Any, *inputs: Tensor) -> dict[str, Tensor]:
    """By their places; outputs by their names."""
    names = [each.name for each in session.get_inputs()]
    given = {name: each.contiguous().numpy() for name, each in zip(names, inputs, strict=True)}
    outputs = session.run(None, given)
    return {
        each.name: torch.from_numpy(value)
        for each, value in zip(session.get_outputs(), outputs, strict=True)
    }
