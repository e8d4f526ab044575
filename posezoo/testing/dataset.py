"""What a dataset promises of an item: true poses in mm, and pixels that agree with them.

A dataset that needs a file is checked with it: `posezoo check mocap:path=poses17.h5`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from posezoo.contracts import Sample
from posezoo.registry import Entry
from posezoo.testing import dataset_order
from posezoo.testing.items import PX, has_pictures, spread
from posezoo.testing.outcome import Check, NotApplicable, Violation
from posezoo.testing.subject import Subject

_BONE_MM = (40.0, 700.0)  # the mean bone of anybody, small children included
_UNITS = {"metres": 1000.0, "centimetres": 10.0, "inches": 25.4}  # mm each
_LARGEST_REPROJECTION_PX = 0.5


def subject(entry: Entry, params: Mapping[str, Any]) -> Subject:
    """A dataset; it is its own inputs."""
    given = {"split": "train", "image_size": 0, "pictures": False, "seed": 0}
    return Subject(entry=entry, params=params, given=given)


def items_have_the_declared_shapes_and_types(subject: Subject) -> str:
    """One Sample: float32 and bool, T frames of J joints, the picture uint8 in RGB."""
    data = subject.build(image_size=PX, pictures=has_pictures(subject))
    joints = data.skeleton.num_joints
    sample = data[0]
    if not isinstance(sample, Sample):
        raise Violation(
            found=f"an item of {type(sample).__name__}",
            expected="a posezoo.contracts.Sample",
            advice="Return Sample(joints2d=..., joints3d=..., ...).",
        )
    frames = len(sample.joints2d)
    expected = {
        "joints2d": ((frames, joints, 2), torch.float32),
        "joints3d": ((frames, joints, 3), torch.float32),
        "root_mm": ((frames, 3), torch.float32),
        "labelled2d": ((frames, joints), torch.bool),
        "labelled3d": ((frames, joints), torch.bool),
        "visible": ((frames, joints), torch.bool),
    }
    tensors = {name: getattr(sample, name) for name in expected}
    tensors["camera.parameters"] = sample.camera.parameters
    expected["camera.parameters"] = ((10,), torch.float32)
    if sample.image is not None:
        tensors["image"], expected["image"] = sample.image, ((3, PX, PX), torch.uint8)
    for name, value in tensors.items():
        if (tuple(value.shape), value.dtype) != expected[name]:
            raise Violation(
                found=f"{name} of shape {tuple(value.shape)} and type {value.dtype}",
                expected=f"shape {expected[name][0]} and type {expected[name][1]}",
                advice="See Sample in posezoo.contracts; T is 1 for single pictures.",
            )
    return f"{len(data)} items, {joints} joints of {data.skeleton.name}"


def root_is_exactly_zero(subject: Subject) -> None:
    """Poses are root-relative; where the root is, root_mm says."""
    data = subject.build()
    batch = spread(data)
    largest = batch.joints3d[:, :, data.skeleton.root].abs().max().item()
    if largest != 0:
        raise Violation(
            found=f"a root up to {largest:.4g} mm from 0 in joints3d",
            expected="exactly 0",
            advice="joints3d = root_relative(absolute, skeleton.root); root_mm = absolute[root].",
        )


def positions_are_in_millimetres(subject: Subject) -> str:
    """Bones are as long as people's."""
    data = subject.build()
    batch = spread(data)
    parents, children = map(list, zip(*data.skeleton.bones, strict=True))
    known = batch.labelled3d[:, :, parents] & batch.labelled3d[:, :, children]
    bones = (batch.joints3d[:, :, parents] - batch.joints3d[:, :, children]).norm(dim=-1)[known]
    if not len(bones):
        raise NotApplicable("no joint is labelled in 3D")
    mean, (low, high) = bones.mean().item(), _BONE_MM
    if not low < mean < high:
        guess = next((f"; {u} x {f:g}" for u, f in _UNITS.items() if low < mean * f < high), "")
        raise Violation(
            found=f"bones of {mean:.3g} on average",
            expected=f"{low:.0f} to {high:.0f} mm",
            advice=f"Convert to mm where the file is read{guess}.",
        )
    return f"mean bone {mean:.0f} mm"


def pixels_agree_with_the_camera(subject: Subject) -> str:
    """Projected, joints3d + root_mm gives joints2d, in the whole picture and in a crop."""
    worst = 0.0
    for size in (0, PX):
        batch = spread(subject.build(image_size=size))
        known = batch.labelled2d & batch.labelled3d
        if not known.any():
            raise NotApplicable("no joint is labelled both in 2D and in 3D")
        absolute = (batch.joints3d + batch.root_mm[:, :, None]).double()
        nearest = absolute[..., 2][known].min().item()
        if nearest <= 0:
            raise Violation(
                found=f"a joint at z = {nearest:.0f} mm, behind the camera",
                expected="z above 0 in joints3d + root_mm: x right, y down, z forward",
                advice="Turn the world's axes into the camera's (posezoo.camera.world_to_camera).",
            )
        seen = batch.camera.to(torch.float64).project(absolute.flatten(1, 2))
        error = (seen.view_as(batch.joints2d) - batch.joints2d).norm(dim=-1)[known]
        worst = max(worst, error.max().item())
        if not worst < _LARGEST_REPROJECTION_PX:
            raise Violation(
                found=f"joints projected up to {worst:.3g} px from joints2d, {error.median():.3g} "
                f"px in the middle, at image_size={size}",
                expected=f"less than {_LARGEST_REPROJECTION_PX} px",
                advice="Check axes, the crop (camera.resampled), pixel centres at integers, and "
                "the tangential factor of the camera.",
            )
    return f"at most {worst:.2g} px"


def people_stand_upright(subject: Subject) -> str:
    """In most items the head is above the ankles: y points down."""
    data = subject.build()
    names = data.skeleton.joints
    feet = [place for place, name in enumerate(names) if name.endswith("ankle")]
    if "head" not in names or not feet:
        raise NotApplicable(f"{data.skeleton.name} has no head or no ankles")
    batch = spread(data)
    known = batch.labelled3d[:, :, [names.index("head"), *feet]].all(-1)
    if not known.any():
        raise NotApplicable("heads and ankles are not labelled in 3D")
    y = batch.joints3d[..., 1]
    above = (y[:, :, names.index("head")] < y[:, :, feet].amin(-1))[known].float().mean().item()
    if above < 0.5:
        raise Violation(
            found=f"the head above the ankles in {above:.0%} of the poses",
            expected="in most: y points down in the camera frame",
            advice="Change the sign of y and z together, not of y alone, or people are mirrored.",
        )
    return f"{above:.0%} of the poses"


CHECKS = (
    Check(items_have_the_declared_shapes_and_types, essential=True),
    Check(root_is_exactly_zero),
    Check(positions_are_in_millimetres),
    Check(pixels_agree_with_the_camera),
    Check(people_stand_upright),
    *dataset_order.CHECKS,
)
