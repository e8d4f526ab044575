"""What a detector would have found of people whose joints are known: for lifters.

Another joint set, joints that are missing, errors, confidences, and a camera that is only guessed.
The sizes are those of BlazePose on 37 people of 17 photographs whom people had annotated
(docs/lifting.md): a joint's error has a median of 0.076 of the person's size (the root mean square
distance of the joints from their mean), a person's median joint one of 0.055 to 0.13 (quartiles
over people); joints of which it is sure err by 0.06, those of confidence 0.3 to 0.9 by 0.15.
Annotators err too, and people in a crowd are hard: two thirds of that is drawn here. With `fitted`
it is one detector instead, of whose finds `posezoo errors` has made a file.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.data.augment.change import change
from posezoo.data.augment.random_stream import RandomStream
from posezoo.data.crop import inside
from posezoo.data.places import DRAWN, PLACES, to_places
from posezoo.detector_errors import DetectorErrors
from posezoo.geometry import person_size
from posezoo.joint_maps import JointRule, joint_map, map_confidence, map_joints, map_labels
from posezoo.limits import Range, Share
from posezoo.skeleton import Skeleton, get_skeleton

# What "any" draws from, evenly: two in seven have Human3.6M's own joints.
_ANY = ("h36m17", "h36m17", "coco17", "blazepose33", "halpe26", "body25", "mpii16")
_ERROR = 0.035  # of a size, along x and along y: of the median person's median joint
_PERSONS, _JOINTS = 0.5, 0.5  # deviation of its logarithm, over people and over a person's joints
_HARDER = {"ankle": 1.25, "knee": 1.25, "hip": 1.4, "wrist": 1.2, "eye": 0.7, "nose": 0.7}
_TOGETHER = 0.015  # of a size: all joints of a person in common
_LOST, _LOST_BY = 0.015, 0.4  # the share of joints that lie anywhere, and how far off
_UNSURE = 0.25  # of a size: who errs so much may have no confidence at all
_MIDDLE = ("pelvis", "middle_of_hips")
_ARM, _LEG = ("elbow", "wrist"), ("hip", "knee", "ankle")


@change
class Detected:
    """The 2D joints of a batch as a detector of some joint set has them, true or wrong or not."""

    joints: str = "any"  # a joint set; "any": of those that the lifter takes, by item
    errors: Annotated[float, Range(0, 10)] = 1.0  # times the size of those measured
    fitted: str = ""  # a file of `posezoo errors`, whose joint set and errors are to be drawn
    exact: Share = 0.3  # of the items: no errors and full confidence
    missing: Share = 0.05  # of the joints, and of the limbs
    lost: Annotated[int, Range(0, 1000)] = 0  # joints of each frame, besides those
    gaps: Share = 0.0  # of the clips: from one frame to all are left, evenly in its logarithm
    lower: Share = 0.1  # of the items: hips, knees and ankles are not there
    swaps: Share = 0.02  # of the items, the arms, and of the legs: left and right exchanged
    outside: Share = 1.0  # of the items: what lies outside the picture is not found
    guessed: Share = 0.3  # of the items: the focal length is wrong, the lens thought perfect
    by: Annotated[float, Range(0, 0.9)] = 0.2  # of the focal length, at most
    told: str = ""  # the set that the lifter is told; empty: its own

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The changed batch, its 2D joints of the set that the lifter is told."""
        told = self.told or skeleton.name
        joints = told if self.joints == "any" and told != PLACES.name else self.joints
        if self.fitted:
            joints = error_model(self.fitted)[1].name
            if self.joints not in ("any", joints):
                raise ValueError(
                    f"detected: joints={self.joints}, and the errors of {self.fitted} are of "
                    f"{joints}: leave joints= out"
                )
        return replace(self, told=told, joints=joints)._found_in(batch, stream)

    def _found_in(self, batch: Batch, stream: RandomStream) -> Batch:
        absolute = batch.joints3d + batch.root_mm[:, :, None]
        places = to_places(absolute, _normal(stream, DRAWN, "body"))
        true = batch.camera.project(places.flatten(1, 2)).unflatten(1, places.shape[1:3])
        known = self._known(batch, true, stream)
        found, confidence = self._found(true, known, stream)
        if self.told != PLACES.name:
            found, known, confidence = self._as_told(found, known, confidence)
        return replace(
            batch,
            joints2d=found.where(known[..., None], 0),
            labelled2d=known,
            visible=known,
            confidence=confidence * known,
            camera=self._claimed(batch.camera, stream),
        )

    def _known(
        self,
        batch: Batch,
        true: Tensor,  # (B, T, 31, 2) px
        stream: RandomStream,
    ) -> Tensor:  # (B, T, 31) bool
        """What the item's joint set has, and of that what is found."""
        has = _sets(self.joints).to(true.device)
        chosen = (stream.uniform(1, "set")[:, 0] * len(has)).long()
        has = has[chosen, None].expand(true.shape[:-1])
        kept = stream.uniform(has[0].numel(), "missing").view(has.shape) >= self.missing
        lost = stream.uniform(4, "limbs") < self.missing
        lower = stream.uniform(1, "lower")[:, 0] < self.lower
        limbs = [(side, limb) for limb in (_LEG, _ARM) for side in ("left", "right")]
        for number, (side, limb) in enumerate(limbs):
            gone = lost[:, number] | (lower if limb is _LEG else False)
            kept[..., _named(side, limb)] &= ~gone[:, None, None]
        kept[..., [PLACES.joints.index(name) for name in _MIDDLE]] &= ~lower[:, None, None]
        seen = inside(true, 2 * batch.camera.centre + 1)
        seen |= (stream.uniform(1, "outside") >= self.outside)[..., None]
        known = has & kept & seen & self._frames(stream, true.shape[1])[..., None]
        if self.lost:
            order = stream.uniform(has[0].numel(), "lost").view(has.shape).where(known, 2)
            known = known & (order.argsort(-1).argsort(-1) >= self.lost)
        return known

    def _frames(self, stream: RandomStream, count: int) -> Tensor:  # (B, count) bool
        """In which frames of a clip anything is found."""
        left = ((count + 1) ** stream.uniform(1, "left")).floor()
        order = stream.uniform(count, "frames").argsort(-1).argsort(-1)
        return (order < left) | (stream.uniform(1, "gaps") >= self.gaps)

    def _found(
        self,
        true: Tensor,  # (B, T, 31, 2) px
        known: Tensor,  # (B, T, 31) bool
        stream: RandomStream,
    ) -> tuple[Tensor, Tensor]:  # (B, T, 31, 2) px and the confidence (B, T, 31)
        """Where they are found, and how surely."""
        if self.fitted:
            off, sure = self._fitted(true, stream)
        else:
            off, sure = self._measured(true, known, stream)
        found = self._swapped(true, stream) + self.errors * off
        exact = stream.uniform(1, "exact")[..., None] < self.exact
        return true.where(exact[..., None], found), sure.masked_fill(exact, 1.0)

    def _measured(
        self, true: Tensor, known: Tensor, stream: RandomStream
    ) -> tuple[Tensor, Tensor]:  # (B, T, 31, 2) px off, confidence (B, T, 31)
        """Errors as those of BlazePose."""
        shape = true.shape[:-1]
        spread = _ERROR * torch.exp(
            _PERSONS * _normal(stream, 1, "person") + _JOINTS * _normal(stream, shape[-1], "joint")
        )
        spread = (spread * _hardness().to(true))[:, None].expand(shape)
        chance = stream.uniform(2 * known[0].numel(), "chance").view(*shape, 2)
        lost = chance[..., 0] < _LOST
        drawn = _normal(stream, true[0].numel(), "error").view(true.shape)
        shared = _normal(stream, 2 * shape[1], "shared").view(len(true), -1, 1, 2)
        error = torch.where(lost, _LOST_BY, spread)[..., None] * drawn + _TOGETHER * shared
        sure = 1 - spread / _UNSURE * (0.2 + 0.8 * chance[..., 1])
        sure = torch.where(lost, 0.6 * chance[..., 1], sure).clamp(0.02, 1)
        return person_size(true, known)[..., None] * error, sure

    def _fitted(
        self, true: Tensor, stream: RandomStream
    ) -> tuple[Tensor, Tensor]:  # (B, T, 31, 2) px off, confidence (B, T, 31)
        """Errors of a detector that somebody has measured."""
        model, skeleton = error_model(self.fitted)
        order, stands = _places_of(skeleton)
        stands = stands.to(true.device)
        seen = true[..., order, :].masked_fill(~stands[:, None], torch.nan)
        found, sure = model.apply(seen, stream.uniform)
        at = order.to(true.device)[stands]
        off, confidence = torch.zeros_like(true), torch.ones_like(true[..., 0])
        off[..., at, :] = (found - seen)[..., stands, :]
        confidence[..., at] = sure[..., stands]
        return off, confidence

    def _swapped(self, px: Tensor, stream: RandomStream) -> Tensor:
        """Left and right exchanged on some people's arms, and on some people's legs."""
        swapped = stream.uniform(2, "swaps") < self.swaps
        for number, limb in enumerate((_LEG, _ARM)):
            places = [*_named("left", limb), *_named("right", limb)]
            other = px[..., [PLACES.mirror[place] for place in places], :]
            which = swapped[:, number, None, None, None]
            px = px.index_copy(-2, torch.tensor(places).to(px.device),
                               torch.where(which, other, px[..., places, :]))  # fmt: skip
        return px

    def _as_told(
        self, found: Tensor, known: Tensor, confidence: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of the joint set that they stand for, as another."""
        source, target = get_skeleton(self.joints), get_skeleton(self.told)
        order, stands = _places_of(source)
        there = known[..., order] & stands.to(known.device)
        joints, _ = map_joints(found[..., order, :], source, target, estimate=True)
        sure = map_confidence(confidence[..., order], source, target, estimate=True)
        return joints, map_labels(there, source, target, estimate=True), sure

    def _claimed(self, camera: Camera, stream: RandomStream) -> Camera:
        """The camera that the lifter is told of."""
        guessed = stream.happens(self.guessed)[:, None]
        factor = 1 + self.by * (2 * stream.uniform(1, "focal") - 1)
        parameters = camera.parameters.clone()
        parameters[:, :2] *= factor.to(parameters)
        parameters[:, 4:] = 0  # no distortion, and a guess (`Camera.guessed`)
        return Camera(torch.where(guessed, parameters, camera.parameters))


def _normal(stream: RandomStream, count: int, name: str) -> Tensor:  # (B, count)
    return torch.special.ndtri(stream.uniform(count, name).clamp(1e-6, 1 - 1e-6))


@cache
def error_model(path: str) -> tuple[DetectorErrors, Skeleton]:
    """A file of `posezoo errors`, and the joint set that it is of.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    return DetectorErrors.load_any(Path(path))


@cache
def _sets(name: str) -> Tensor:  # (sets, 31) bool: which places they have
    names = _ANY if name == "any" else (name,)
    return torch.tensor([[bool(rule.sources) for _, rule in _rules(each)] for each in names])


def _rules(name: str) -> list[tuple[int, JointRule]]:
    """Each place, and which joint of the set stands there."""
    return list(enumerate(joint_map(get_skeleton(name), PLACES).rules))


@cache
def _places_of(skeleton: Skeleton) -> tuple[Tensor, Tensor]:  # (J,) int64 and bool
    """At which place each joint of a set stands, and whether it stands at any."""
    rules = {rule.sources[0]: place for place, rule in _rules(skeleton.name) if rule.sources}
    order = [rules.get(joint, 0) for joint in range(skeleton.num_joints)]
    stands = [joint in rules for joint in range(skeleton.num_joints)]
    return torch.tensor(order), torch.tensor(stands)


@cache
def _named(side: str, limb: tuple[str, ...]) -> list[int]:
    """The places of a limb, whichever set's."""
    return [
        place
        for place, name in enumerate(PLACES.joints)
        if name.startswith(side) and name.endswith(limb)
    ]


@cache
def _hardness() -> Tensor:  # (31,)
    return torch.tensor([_HARDER.get(name.split("_")[-1], 1.0) for name in PLACES.joints])
