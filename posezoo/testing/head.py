"""What a head promises: maps of its stride, and a codec that loses no half cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from posezoo import registry
from posezoo.contracts import Batch, FeatureSpec, PoseResult
from posezoo.geometry import cells_to_px
from posezoo.registry import Entry
from posezoo.skeleton import H36M17
from posezoo.testing.examples import people
from posezoo.testing.outcome import Check, NotApplicable, Violation
from posezoo.testing.subject import Inputs, Subject

_CHANNELS = 32  # of the features that a head is tried on; it must take any number
_SIZE = (128, 192)  # px, height and width of the picture, for a head that takes any
_CELLS = (48, 64)  # h, w of the maps on which the codec is tried
_EDGE_CELLS = 10  # where a decoder may feel the border
_LARGEST_BIAS = 0.05  # cells; index times stride has 0.375
_LARGEST_BIAS_MM = 1.0
_SIDES = ("left", "right", "upper", "lower")


def subject(entry: Entry, params: Mapping[str, Any]) -> Subject:
    """A head, fed with noise in features of the strides that its example's backbone has."""
    strides = [16]
    if example := entry.facts.get("example"):
        with torch.device("meta"):
            backbone = registry.resolve("backbone", example.split("-")[0]).build()
        strides = [feature.stride for feature in backbone.features]
    features = tuple(FeatureSpec(channels=_CHANNELS, stride=stride) for stride in strides)
    inputs = Inputs(
        make=lambda part, count: (_noise(features, count, _size(part)),),
        loss=lambda part: part.loss(part(_noise(features, 4, _size(part))), _batch(4)),
        prepare=_prepare,
        facts=lambda part: {},
    )
    given = {"features": features, "num_joints": H36M17.num_joints, "skeleton": H36M17}
    return Subject(entry=entry, params=params, given=given, inputs=inputs)


def maps_have_the_declared_stride(subject: Subject) -> str:
    """The maps are as large as the picture over the stride."""
    part = subject.part
    maps, _ = _predicted(subject, _SIZE)
    if part.output == "joints3d" or maps.ndim != 4:
        raise NotApplicable("the maps of this head are not pictures of cells")
    expected = tuple(px / part.stride for px in _SIZE)
    if tuple(maps.shape[-2:]) != expected:
        raise Violation(
            found=f"maps of {_by(maps.shape[-2:])} cells for a picture of {_by(_SIZE)} px",
            expected=f"{_by(expected)}, since `stride` says {part.stride:g} px per cell",
            advice="Compute self.stride from the features' stride and the layers of the head.",
        )
    return f"{part.stride:g} px per cell"


def joints_and_confidence_have_their_shapes(subject: Subject) -> str:
    """As `output` says; confidence is a share."""
    part = subject.part
    _, result = _predicted(subject, _SIZE)
    size, field = (2, "joints2d") if part.output == "joints2d" else (3, "joints3d")
    for name, shape in (
        (field, (1, 1, H36M17.num_joints, size)),
        ("confidence", (1, H36M17.num_joints)),
    ):
        value = getattr(result, name)
        if value is None or tuple(value.shape) != shape:
            raise Violation(
                found=f"{name} of shape {None if value is None else tuple(value.shape)} from "
                "decode",
                expected=f"{shape}, as `output` says {part.output!r}",
                advice="A Head returns (B, J, 2) px and confidence (B, J), a PoseHead a "
                "PoseResult with joints3d (B, 1, J, 3) mm.",
            )
    confidence = result.confidence
    assert confidence is not None
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise Violation(
            found=f"confidence from {confidence.min():.3g} to {confidence.max():.3g}",
            expected="numbers from 0 to 1",
            advice="Divide by the height of a perfect map and clamp(0, 1).",
        )
    return f"confidence {confidence.min():.2g} to {confidence.max():.2g} on noise"


def decode_of_encode_has_no_bias(subject: Subject) -> str:
    """The mean signed error of perfect maps; near the edges it is only reported."""
    part = subject.part
    if part.output == "joints3d":
        return _round_trip_mm(subject)
    inner, edge = _grid(part, _EDGE_CELLS), _edges(part)
    note = _bias(part, inner, lambda maps: part.decode(maps)[0], "decode")
    error = _errors(part, edge, lambda maps: part.decode(maps)[0])
    return f"{note}; up to {error.abs().max():.2g} cells off within 2 cells of the edge"


def decode_soft_lets_a_gradient_reach_the_maps(subject: Subject) -> str:
    """And reads perfect maps without bias too."""
    part = subject.part
    if part.output == "joints3d":
        raise NotApplicable("this head gives 3D; it has no decode_soft")
    joints = _grid(part, _EDGE_CELLS)
    note = _bias(part, joints, part.decode_soft, "decode_soft")
    generator = torch.Generator().manual_seed(0)
    perfect = part.encode(joints[:2], _cells(part))
    noise = torch.randn(perfect.shape, generator=generator) * perfect.std()
    maps = (perfect + noise).requires_grad_()
    soft = part.decode_soft(maps)
    gradient = torch.autograd.grad(soft.sum(), maps)[0] if soft.requires_grad else None
    if gradient is None or not gradient.any():
        raise Violation(
            found="no gradient at the maps from decode_soft",
            expected="one: strategies train the network through this decoder",
            advice="Read by a weighted mean of the cells (ops.soft_argmax), not by argmax.",
        )
    if not gradient.isfinite().all():
        raise Violation(
            found="a gradient of decode_soft that is not finite",
            expected="finite numbers",
            advice="Compute the softmax in float32, with its largest logit subtracted.",
        )
    return note


def unlabelled_joints_do_not_count(subject: Subject) -> None:
    """The loss does not change with the truth of a joint that is not labelled."""
    part, batch = subject.part, _batch(4)
    maps, _ = _predicted(subject, _SIZE, count=len(batch))
    known = batch.labelled2d.clone()
    known[:, :, 3] = False
    moved2d, moved3d = batch.joints2d.clone(), batch.joints3d.clone()
    moved2d[:, :, 3] += 9.0
    moved3d[:, :, 3] += 90.0
    batch = replace(batch, labelled2d=known, labelled3d=known)
    other = replace(batch, joints2d=moved2d, joints3d=moved3d)
    with torch.no_grad():
        a, b = part.loss(maps, batch).item(), part.loss(maps, other).item()
    if a != b:
        raise Violation(
            found=f"a loss of {a:.6g} that becomes {b:.6g} when an unlabelled joint is elsewhere",
            expected="the same: its place is not known",
            advice="Weigh each joint by batch.labelled2d (labelled3d for 3D) in the mean.",
        )


def odd_sizes_of_features_work(subject: Subject) -> str:
    """Feature maps of odd height and width; a head that is made for one size may refuse them."""
    coarsest = max(spec.stride for spec in subject.given["features"])
    try:
        maps, result = _predicted(subject, (5 * coarsest, 7 * coarsest))
    except ValueError as error:
        if not hasattr(subject.part, "image_size"):
            raise
        return f"refused: {error}"
    joints = result.joints2d if result.joints3d is None else result.joints3d
    assert joints is not None
    if not joints.isfinite().all():
        raise Violation(
            found="joints that are not finite from features of 5 x 7 cells",
            expected="finite numbers at any size",
            advice="Look for a division by a size.",
        )
    return f"features of 5 x 7 cells to maps of {_by(maps.shape[-2:])}"


def _bias(part: Any, joints: Tensor, read: Any, name: str) -> str:
    """The mean errors of each half of the map: a wrong scale errs outwards on both sides."""
    error = _errors(part, joints, read)
    first = joints < joints.mean((0, 1))
    halves = [(axis, half) for axis in (0, 1) for half in (first[..., axis], ~first[..., axis])]
    bias = torch.stack([error[..., axis][half].mean() for axis, half in halves])
    if not bias.abs().max() < _LARGEST_BIAS:  # NaN too
        shown = [f"{b:+.3f} in the {side} half" for b, side in zip(bias, _SIDES, strict=True)]
        raise Violation(
            found=f"mean errors of {', '.join(shown)}, in cells, from {name}(encode(joints))",
            expected=f"less than {_LARGEST_BIAS} cells either way",
            advice="Turn cells into px only by posezoo.geometry (cells_to_px, cell_affine): the "
            "centre of cell i lies at (i + 0.5) * stride - 0.5 px.",
        )
    return f"mean error {bias.abs().max():.2g} cells, largest {error.abs().max():.2g}"


def _errors(part: Any, joints: Tensor, read: Any) -> Tensor:  # (B, J, 2) cells
    with torch.no_grad():
        found: Tensor = read(part.encode(joints, _cells(part)))
    return (found - joints) / part.stride


def _round_trip_mm(subject: Subject) -> str:
    part = subject.build()
    if not hasattr(part, "encode"):
        raise NotApplicable("joints do not say what perfect maps of this head would be")
    batch = _of_equal_size(people(16, size=min(_SIZE), pictures=True, seed=1))
    if hasattr(part, "fit_normalisation"):
        part.fit_normalisation(batch)
    part.eval()
    with torch.no_grad():
        found = part.decode(part.encode(batch), batch.camera).joints3d
    bias = (found - batch.joints3d).mean((0, 1, 2)).abs().max().item()
    root = found[:, :, H36M17.root].abs().max().item()
    if not bias < _LARGEST_BIAS_MM or root != 0:
        raise Violation(
            found=f"decode(encode(joints)) off by {bias:.3g} mm on average, its root {root:.3g} mm "
            "from 0",
            expected=f"less than {_LARGEST_BIAS_MM} mm, and a root of exactly 0",
            advice="Let decode undo what encode does, and end in root_relative(...).",
        )
    error = (found - batch.joints3d).norm(dim=-1).mean().item()
    return f"mean error {bias:.2g} mm along an axis, {error:.2g} mm from joint to joint"


def _of_equal_size(batch: Batch) -> Batch:
    """The same pictures, of people with equal bones, further off or nearer.

    A head that measures in px must guess how big people are; that guess is right here.
    """
    parents, children = (list(side) for side in zip(*H36M17.bones, strict=True))
    bones = batch.joints3d[:, :, children] - batch.joints3d[:, :, parents]
    energy = bones.square().sum((1, 2, 3))
    factor = (energy.mean() / energy).sqrt()
    return replace(
        batch,
        joints3d=batch.joints3d * factor[:, None, None, None],
        root_mm=batch.root_mm * factor[:, None, None],
    )


def _grid(part: Any, margin: int) -> Tensor:  # (B, J, 2) px
    """Joints at all parts of a cell, as many on each side of its centre and none on a border."""
    height, width = (side - 2 * margin for side in _cells(part))
    x = margin - 0.5 + (torch.arange(68) + 0.5) * width / 68
    y = margin - 0.5 + (torch.arange(16) + 0.5) * height / 16
    cells = torch.cartesian_prod(x, y).view(-1, H36M17.num_joints, 2)
    return cells_to_px(cells, part.stride)


def _edges(part: Any) -> Tensor:  # (B, J, 2) px
    """Joints within two cells of an edge."""
    _, width = _cells(part)
    cells = torch.cartesian_prod(torch.linspace(-0.4, width - 0.6, 51), torch.linspace(0, 2, 5))
    return cells_to_px(cells.view(-1, H36M17.num_joints, 2), part.stride)


def _cells(part: Any) -> tuple[int, int]:
    """Height and width of the maps on which the codec is tried."""
    if not hasattr(part, "image_size"):
        return _CELLS
    height, width = part.image_size
    return round(height / part.stride), round(width / part.stride)


def _predicted(
    subject: Subject, size_px: tuple[int, int], count: int = 1
) -> tuple[Tensor, PoseResult]:
    """Maps from noise, and what is read off them."""
    part = subject.part
    if size_px == _SIZE:
        size_px = _size(part)
    with torch.no_grad():
        maps = part(_noise(subject.given["features"], count, size_px))
        if part.output == "joints3d":
            return maps, part.decode(maps, people(count, size=min(size_px)).camera)
        joints, confidence = part.decode(maps)
        return maps, PoseResult(joints2d=joints[:, None], confidence=confidence)


def _size(part: Any) -> tuple[int, int]:
    """Height and width, px, of the picture that the features are of."""
    height, width = getattr(part, "image_size", _SIZE)
    return height, width


def _noise(
    features: tuple[FeatureSpec, ...], count: int, size_px: tuple[int, int]
) -> tuple[Tensor, ...]:
    """What a backbone might give for a picture of that height and width."""
    generator = torch.Generator().manual_seed(0)
    height, width = size_px
    shapes = [(count, f.channels, height // f.stride, width // f.stride) for f in features]
    return tuple(torch.randn(shape, generator=generator).relu() for shape in shapes)


def _batch(count: int) -> Batch:
    return people(count, size=min(_SIZE), pictures=True)


def _prepare(part: Any) -> None:
    if hasattr(part, "fit_normalisation"):
        part.fit_normalisation(people(64, size=min(_SIZE)))


def _by(size: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in size)


CHECKS = (
    Check(maps_have_the_declared_stride),
    Check(joints_and_confidence_have_their_shapes),
    Check(decode_of_encode_has_no_bias),
    Check(decode_soft_lets_a_gradient_reach_the_maps),
    Check(unlabelled_joints_do_not_count),
    Check(odd_sizes_of_features_work),
)
