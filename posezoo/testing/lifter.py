"""What a lifter promises: millimetres around a root of exactly 0, from the frames it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from posezoo.contracts import Batch
from posezoo.pipeline import lifter_inputs
from posezoo.registry import Entry
from posezoo.skeleton import H36M17
from posezoo.testing.examples import people
from posezoo.testing.outcome import Check, Violation
from posezoo.testing.subject import Inputs, Subject

_NORMALISED_ON = 64  # poses
_PLAUSIBLE = (0.1, 10.0)  # how far joints may be from the root, of what they are in truth
_NEAR_MM = 0.5  # float32 noise of poses a metre in size


def subject(entry: Entry, params: Mapping[str, Any]) -> Subject:
    """A lifter, fed with people of known poses."""
    inputs = Inputs(
        make=lambda part, count: _arguments(part, people(count, frames=part.frames)),
        loss=_loss,
        prepare=lambda part: part.fit_normalisation(people(_NORMALISED_ON, frames=part.frames)),
        facts=lambda part: {
            "frames": part.frames,
            "future": part.future,
            "params": sum(p.numel() for p in part.parameters()),
        },
    )
    return Subject(entry=entry, params=params, given={"skeleton": H36M17}, inputs=inputs)


def frames_and_future_are_honoured(subject: Subject) -> str:
    """T frames give T - frames + 1 poses, each from its own frames alone."""
    part = subject.part
    if not (part.frames >= 1 and 0 <= part.future < part.frames):
        raise Violation(
            found=f"frames = {part.frames} and future = {part.future}",
            expected="frames of 1 or more, of which future are 0 to frames - 1",
            advice="A causal lifter has future 0, a centred one frames // 2.",
        )
    batch = people(2, frames=part.frames + 2)
    with torch.no_grad():
        whole = part(*_arguments(part, batch))
        expected = (2, 3, H36M17.num_joints, 3)
        if tuple(whole.shape) != expected:
            raise Violation(
                found=f"an output of shape {tuple(whole.shape)} for {part.frames + 2} frames",
                expected=f"{expected}: T - frames + 1 poses, as frames = {part.frames}",
                advice="Predict only frames whose whole context is there; pad nothing.",
            )
        alone = part(*_arguments(part, batch.frames(1, 1 + part.frames)))
    difference = (whole[:, 1:2] - alone).abs().max().item()
    if not difference < _NEAR_MM:
        raise Violation(
            found=f"a pose {difference:.3g} mm elsewhere when frames outside its context are cut",
            expected=f"the same pose: it is made of {part.frames} frames",
            advice="Correct `frames`, or mix fewer frames (attention over all T is too wide).",
        )
    if hasattr(part, "lift_window"):
        _require_the_same_in_a_window(part)
    return f"{part.frames} frames, {part.future} of them future"


def root_is_exactly_zero(subject: Subject) -> None:
    """Not nearly: joint 0 is where the pose is measured from."""
    (joints3d,) = subject.outputs(subject.part)
    largest = joints3d[:, :, H36M17.root].abs().max().item()
    if largest != 0:
        raise Violation(
            found=f"a root up to {largest:.3g} mm from 0",
            expected="exactly 0",
            advice="End the forward in posezoo.geometry.root_relative(joints3d, skeleton.root).",
        )


def output_is_in_millimetres(subject: Subject) -> str:
    """After fit_normalisation joints lie about as far from the root as people's do."""
    (joints3d,) = subject.outputs(subject.part, _NORMALISED_ON)
    found = joints3d.norm(dim=-1).mean().item()
    true = people(_NORMALISED_ON).joints3d.norm(dim=-1).mean().item()
    low, high = (share * true for share in _PLAUSIBLE)
    if not low < found < high:
        looks = " (as metres would)" if 0.3 < found * 1000 / true < 3 else ""
        raise Violation(
            found=f"joints {found:.3g} from the root on average{looks}",
            expected=f"{low:.0f} to {high:.0f} mm, as the poses it was normalised on have "
            f"{true:.0f}",
            advice="Undo the normalisation at the end of the forward: x * std + mean, in mm.",
        )
    return f"joints {found:.0f} mm from the root, in truth {true:.0f}"


def loss_counts_labelled_joints_only(subject: Subject) -> None:
    """The loss does not change with the truth of a joint that is not labelled."""
    part, batch = subject.part, people(4)
    predicted = people(4, seed=2).joints3d
    known, moved = batch.labelled3d.clone(), batch.joints3d.clone()
    known[:, :, 3] = False
    moved[:, :, 3] += 90.0
    batch = replace(batch, labelled3d=known)
    with torch.no_grad():
        a = part.loss(predicted, batch).item()
        b = part.loss(predicted, replace(batch, joints3d=moved)).item()
    if a != b:
        raise Violation(
            found=f"a loss of {a:.6g} that becomes {b:.6g} when an unlabelled joint is elsewhere",
            expected="the same: its place is not known",
            advice="Weigh each joint by batch.labelled3d in the mean, as posezoo.losses does.",
        )


def fit_normalisation_changes_no_weights(subject: Subject) -> None:
    """It takes statistics; learning is the optimiser's."""
    part = subject.build()
    weights = [p.detach().clone() for p in part.parameters()]
    part.fit_normalisation(people(_NORMALISED_ON, frames=part.frames))
    if any(not torch.equal(a, b) for a, b in zip(weights, part.parameters(), strict=True)):
        raise Violation(
            found="weights that change in fit_normalisation",
            expected="buffers that change, and weights as they were",
            advice="Keep mean and standard deviation in buffers.",
        )


def confidence_is_taken_as_declared(subject: Subject) -> str:
    """A lifter that has `takes_confidence` true answers to its third argument."""
    if not subject.part.takes_confidence:
        return "takes none"
    part = subject.network()[0].eval()
    for parameter in part.parameters():
        if not parameter.any():  # an output that starts at 0 would hide it
            nn.init.normal_(parameter, std=0.02)
    joints2d, camera, confidence = _arguments(part, people(4, frames=part.frames))
    with torch.no_grad():
        sure = part(joints2d, camera, torch.ones_like(confidence))
        unsure = part(joints2d, camera, confidence)
    if torch.equal(sure, unsure):
        raise Violation(
            found="the same poses whatever the confidence",
            expected="other poses for joints that the detector is not sure of",
            advice="Use the third argument, or write takes_confidence = False.",
        )
    return f"poses up to {(sure - unsure).abs().max():.3g} mm elsewhere"


def _require_the_same_in_a_window(part: Any) -> None:
    """What predicts all frames of a window says of its present frame what the forward says."""
    arguments = _arguments(part, people(2, frames=part.frames))
    with torch.no_grad():
        window, alone = part.lift_window(*arguments), part(*arguments)
    if window.shape[1] != part.frames:
        raise Violation(
            found=f"a lift_window that gives {window.shape[1]} poses of {part.frames} frames",
            expected="one of each frame",
            advice="Return (B, frames, J, 3) from lift_window.",
        )
    if getattr(part, "takes_shorter", False):
        with torch.no_grad():
            short = part.lift_window(*_arguments(part, people(2)))
        if short.shape[1] != 1:
            raise Violation(
                found=f"a lift_window that gives {short.shape[1]} poses of one frame",
                expected="as many as it is given, since it has takes_shorter",
                advice="Give a pose for each frame, or write takes_shorter = False.",
            )
    present = part.frames - 1 - part.future
    difference = (window[:, present] - alone[:, 0]).abs().max().item()
    if not difference < _NEAR_MM:
        raise Violation(
            found=f"frame {present} of lift_window {difference:.3g} mm from what the forward gives",
            expected="the same pose: there are future frames behind it",
            advice="Let the forward choose frame frames - 1 - future of the window.",
        )


def _arguments(part: Any, batch: Batch) -> tuple[Any, ...]:
    """Of a detector that is more or less sure of each joint."""
    generator = torch.Generator().manual_seed(0)
    shape = batch.joints2d[0, 0, :, 0].shape
    confidence = torch.rand(shape, generator=generator).expand(batch.joints2d.shape[:-1])
    return lifter_inputs(part, batch.joints2d, batch.camera, confidence)


def _loss(part: Any) -> Tensor:
    batch = people(8, frames=part.frames)
    if hasattr(
        part, "loss_of_joints"
    ):  # it can be told that a joint is not known: all but the root
        joints2d, camera, confidence = _arguments(part, batch)
        known = torch.arange(8)[:, None, None] % 4 != torch.arange(H36M17.num_joints) % 4
        own: Tensor = part.loss_of_joints(joints2d, camera, confidence * known, batch)
        return own
    last = part.frames - part.future
    loss: Tensor = part.loss(part(*_arguments(part, batch)), batch.frames(last - 1, last))
    return loss


CHECKS = (
    Check(frames_and_future_are_honoured),
    Check(root_is_exactly_zero),
    Check(output_is_in_millimetres),
    Check(loss_counts_labelled_joints_only),
    Check(fit_normalisation_changes_no_weights),
    Check(confidence_is_taken_as_declared),
)
