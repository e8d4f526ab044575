"""Pipelines that run in onnxruntime: files of `posezoo export` behind the contracts of the zoo.

A file that takes pictures is a head that gives 3D, on a backbone that hands the picture on; a file
that takes joints is a lifter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.contracts import PoseResult
from posezoo.hints import shown
from posezoo.inference.onnx_file import OnnxFile
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_pipeline
from posezoo.skeleton import Skeleton, get_skeleton

_CAMERA = 10  # numbers of a camera
_MOST_MARGIN = 10.0  # times a person


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
    file = OnnxFile(path)
    facts = file.facts
    kind = facts.get("kind")
    if kind not in ("pipeline", "lifter"):
        what = "not from posezoo export"
        if "spec" in facts:
            what = f"one {shown(kind)} of '{shown(facts['spec'])}'"
        raise ValueError(f"{path} is {what}: expected the file of a run or of a lifter")
    if "joints3d_mm" not in file.outputs:
        raise ValueError(f"{path} gives 2D joints only: export a run that has a lifter")
    try:
        spec, skeleton = parse_pipeline(facts["spec"]), get_skeleton(facts["joint_set"])
        head = _head(file, facts, skeleton) if kind == "pipeline" else None
        lifter = _lifter(file, facts, skeleton) if kind == "lifter" else None
        crop_px, margin = int(facts.get("image_px", 0)), float(facts.get("margin", 0))
        if not 0 <= margin < _MOST_MARGIN:
            raise ValueError(f"a margin of {margin}")
    except KeyError as error:
        raise ValueError(f"{path}: its metadata lack {error}; export it again") from error
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(
            f"{path}: its metadata are damaged ({shown(error, 200)}); export it again"
        ) from error
    pipeline = Pipeline(
        spec=spec, skeleton=skeleton, backbone=head and _Picture(), head=head, lifter=lifter
    )
    return Exported(pipeline=pipeline.eval(), crop_px=crop_px, margin=margin)


class _Picture(nn.Module):
    """Hands the picture on: the graph takes it as it is."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return (image,)


def _head(file: OnnxFile, facts: dict[str, str], skeleton: Skeleton) -> nn.Module:
    side = int(facts["image_px"])
    file.require((3, side, side), (_CAMERA,))
    if "confidence" not in file.outputs:
        raise ValueError("no output 'confidence'")
    return _Head(file, skeleton.num_joints)


class _Head(nn.Module):
    """See `posezoo.contracts.PoseHead`; its raw maps are the picture."""

    output = "joints3d"

    def __init__(self, file: OnnxFile, joints: int) -> None:
        super().__init__()
        self.file, self.joints = file, joints

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        return features[-1]

    def decode(self, maps: Tensor, camera: Camera) -> PoseResult:
        picture = (255 * maps).round().to(torch.uint8)
        outputs = self.file.run(picture, camera.parameters, joints=self.joints)
        joints2d = outputs.get("joints2d_px")
        return PoseResult(
            joints2d=None if joints2d is None else joints2d[:, None],
            joints3d=outputs["joints3d_mm"][:, None],
            confidence=outputs["confidence"],
        )


def _lifter(file: OnnxFile, facts: dict[str, str], skeleton: Skeleton) -> nn.Module:
    by_window = facts["answers"] == "window"
    says_more = by_window and {"sigma_mm", "root_mm"} <= set(file.outputs)
    kind = _SayingMore if says_more else _WindowLifter if by_window else _Lifter
    lifter = kind(file, skeleton.num_joints)
    lifter.frames, lifter.future = int(facts["frames"]), int(facts["future"])
    lifter.present = lifter.frames - 1 - lifter.future if by_window else 0
    lifter.takes_confidence = "confidence" in file.inputs
    lifter.takes_shorter = facts.get("takes_shorter") == "yes" and lifter.takes_confidence
    seen = get_skeleton(facts["joint_set_2d"])
    if seen != skeleton:
        lifter.joints2d = seen.name
    if sets := facts.get("joint_sets", ""):  # the graph itself takes one number of joints only
        lifter.joint_sets = tuple(name for name in sets.split() if name != skeleton.name)
        lifter.fewest = int(facts["fewest"])
    if not 0 <= lifter.future < lifter.frames:
        raise ValueError(f"{lifter.future} of {lifter.frames} frames after the predicted one")
    each = (lifter.frames, seen.num_joints)
    file.require((*each, 2), (_CAMERA,), *[each] * lifter.takes_confidence)
    return lifter


class _Lifter(nn.Module):
    """See `posezoo.contracts.Lifter`."""

    frames: int
    future: int
    takes_confidence: bool
    joint_sets: tuple[str, ...]  # of one that takes any part of them
    fewest: int
    takes_shorter = False  # windows than `frames`: the others are missing
    present: int  # which of the frames that the graph gives is the predicted one
    joints2d = ""

    def __init__(self, file: OnnxFile, joints: int) -> None:
        super().__init__()
        self.file, self.joints = file, joints

    def forward(self, joints2d: Tensor, camera: Camera, *confidence: Tensor) -> Tensor:
        """Each frame that has all frames around it."""
        return self._frames(joints2d, camera, *confidence)["joints3d_mm"]

    def _frames(
        self, joints2d: Tensor, camera: Camera, *confidence: Tensor
    ) -> dict[str, Tensor]:  # (B, T - frames + 1, ...) each
        """Each with the frames around it, all at once: the graph takes `frames` of them."""
        people, steps = joints2d.shape[0], joints2d.shape[1] - self.frames + 1
        given = [
            each.unfold(1, self.frames, 1).movedim(-1, 2).flatten(0, 1)
            for each in (joints2d, *confidence)
        ]
        cameras = camera.parameters.repeat_interleave(steps, 0)
        outputs = self._run(given[0], cameras, *given[1:])
        return {n: o[:, self.present].unflatten(0, (people, steps)) for n, o in outputs.items()}

    def _run(self, *inputs: Tensor) -> dict[str, Tensor]:
        return self.file.run(*inputs, joints=self.joints)


class _WindowLifter(_Lifter):
    """One that answers for all frames of a window."""

    def lift_window(self, joints2d: Tensor, camera: Camera, *confidence: Tensor) -> Tensor:
        """The whole window."""
        return self._window(joints2d, camera, *confidence)["joints3d_mm"]

    def _window(
        self, joints2d: Tensor, camera: Camera, *confidence: Tensor
    ) -> dict[str, Tensor]:  # (B, T, ...) each
        """A window that is shorter has missing frames behind it, for one that takes such."""
        steps = joints2d.shape[1]
        if missing := self.frames - steps if self.takes_shorter else 0:
            again = joints2d[:, -1:].expand(-1, missing, -1, -1)
            joints2d = torch.cat([joints2d, again], 1)
            confidence = tuple(nn.functional.pad(each, (0, 0, 0, missing)) for each in confidence)
        outputs = self._run(joints2d, camera.parameters, *confidence)
        return {name: each[:, :steps] for name, each in outputs.items()}


class _SayingMore(_WindowLifter):
    """One that also says how sure it is, and where the root is."""

    def answer(self, joints2d: Tensor, camera: Camera, *confidence: Tensor) -> PoseResult:
        """All that it says of each frame that has all frames around it."""
        return _result(self._frames(joints2d, camera, *confidence))

    def answer_window(self, joints2d: Tensor, camera: Camera, *confidence: Tensor) -> PoseResult:
        """All that it says of the whole window."""
        return _result(self._window(joints2d, camera, *confidence))


def _result(outputs: dict[str, Tensor]) -> PoseResult:
    return PoseResult(
        joints3d=outputs["joints3d_mm"], sigma_mm=outputs["sigma_mm"], root_mm=outputs["root_mm"]
    )
