"""Poses of one joint set as poses of another, joint by joint: exact, approximate or impossible.

Exact: both sets are of one family and have the joint. Approximate: a joint that stands close by,
or the middle of two, by the table below. Impossible: nothing in the source says where the joint
is; it comes out as 0 and unlabelled. Approximate is not harmless: taking COCO's key points for
Human3.6M's costs a lifter some 20 mm (VideoPose3D issue 245).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from posezoo.skeleton import Skeleton

Quality = Literal["exact", "approximate", "impossible"]
Points = TypeVar("Points", np.ndarray, Tensor)

_LIMBS = {
    f"{side}_{joint}"
    for side in ("left", "right")
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
# Target family and joint: what may stand for it, the best first. "family joint" is a joint of that
# family; a pair of plain names is the middle of those two joints of any family.
_APPROXIMATE: dict[str, tuple[str | tuple[str, str], ...]] = {
    "h36m pelvis": ("mpii pelvis", "3dhp pelvis", "coco hip", _HIPS),
    "h36m spine": ("3dhp spine", "cmu lower_back"),
    "h36m thorax": ("mpii upper_neck", "3dhp neck", "coco neck", "cmu thorax", _SHOULDERS),
    "h36m neck": ("3dhp head", "cmu upper_neck", "coco nose"),
    "h36m head": ("mpii head_top", "3dhp head_top", "coco head_top", "cmu head"),
    "mpii pelvis": ("h36m pelvis", "3dhp pelvis", "coco hip", _HIPS),
    "mpii thorax": (_SHOULDERS,),
    "mpii upper_neck": ("h36m thorax", "3dhp neck", "coco neck", "cmu lower_neck"),
    "mpii head_top": ("h36m head", "3dhp head_top", "coco head_top", "cmu head"),
    "3dhp pelvis": ("h36m pelvis", "mpii pelvis", "coco hip", _HIPS),
    "3dhp spine": ("h36m spine", "cmu lower_back"),
    "3dhp neck": ("h36m thorax", "mpii upper_neck", "coco neck", "cmu thorax", _SHOULDERS),
    "3dhp head": ("h36m neck", "cmu upper_neck"),
    "3dhp head_top": ("h36m head", "mpii head_top", "coco head_top", "cmu head"),
    "coco nose": ("h36m neck",),
    "coco neck": ("h36m thorax", "mpii upper_neck", "3dhp neck", "cmu thorax", _SHOULDERS),
    "coco hip": ("h36m pelvis", "mpii pelvis", "3dhp pelvis", _HIPS),
    "coco head_top": ("h36m head", "mpii head_top", "3dhp head_top", "cmu head"),
    "cmu lower_back": ("h36m spine", "3dhp spine"),
    "cmu thorax": ("h36m thorax", "3dhp neck", "coco neck"),
    "cmu upper_neck": ("h36m neck", "3dhp head"),
    "cmu head": ("h36m head", "mpii head_top", "3dhp head_top", "coco head_top"),
}


@dataclass(frozen=True, slots=True)
class JointRule:
    """Where one joint of the target comes from."""

    joint: str
    quality: Quality
    sources: tuple[int, ...]  # one joint of the source, the two whose middle it is, or none


@dataclass(frozen=True, slots=True)
class JointMap:
    """One rule for each joint of the target, in its order."""

    source: Skeleton
    target: Skeleton
    rules: tuple[JointRule, ...]

    def joints(self, quality: Quality) -> tuple[str, ...]:
        """The target's joints of that quality."""
        return tuple(rule.joint for rule in self.rules if rule.quality == quality)

    def describe(self) -> str:
        """What the map gives, in a line: for reports and error messages."""
        texts = []
        if exact := self.joints("exact"):
            texts.append(f"exact: {', '.join(exact)}")
        if close := [self._origin(rule) for rule in self.rules if rule.quality == "approximate"]:
            texts.append(f"approximate: {', '.join(close)}")
        if missing := self.joints("impossible"):
            texts.append(f"{self.source.name} has no {', '.join(missing)}")
        return f"{self.source.name} to {self.target.name}: {'; '.join(texts)}"

    def _origin(self, rule: JointRule) -> str:
        names = " and ".join(self.source.joints[j] for j in rule.sources)
        if len(rule.sources) > 1:
            return f"{rule.joint} (the middle of {names})"
        return rule.joint if names == rule.joint else f"{rule.joint} (from {names})"


@cache
def joint_map(source: Skeleton, target: Skeleton) -> JointMap:
    """The rules from one joint set to another."""
    return JointMap(source, target, tuple(_rule(joint, source, target) for joint in target.joints))


def map_joints(
    points: Points,  # (..., J, D) of the source set, any unit and frame
    source: Skeleton,
    target: Skeleton,
) -> tuple[Points, Points]:  # (..., J', D), and (J',) bool: which joints of the target are known
    """Turn poses of one joint set into poses of another; unknown joints are 0.

    The points of a joint that the source did not label are nonsense, and so is what comes of them:
    map the labels by `map_labels` and combine.

    Raises:
        ValueError: the points are not of the source set, or no joint can be had from it.
    """
    if points.ndim < 2 or points.shape[-2] != source.num_joints:
        raise ValueError(
            f"points are {tuple(points.shape)}, expected (..., {source.num_joints}, D): the joints "
            f"of {source.name}, {', '.join(source.joints)}"
        )
    first, second, known = _places(source, target)
    mapped = (points[..., first, :] + points[..., second, :]) / 2
    mapped[..., np.flatnonzero(~known).tolist(), :] = 0
    return mapped, _beside(known, mapped)


def map_labels(
    labelled: Points,  # (..., J) bool, of the source set
    source: Skeleton,
    target: Skeleton,
) -> Points:  # (..., J') bool
    """Which joints of the target are known where the source labels only some of its own."""
    first, second, known = _places(source, target)
    both = labelled[..., first] & labelled[..., second]
    return both & _beside(known, both)


def _beside(known: np.ndarray, values: Points) -> Points:
    """A copy of the kind, and at the place, of the values."""
    if isinstance(values, Tensor):
        return torch.from_numpy(known.copy()).to(values.device)
    return known.copy()


@cache
def _places(
    source: Skeleton, target: Skeleton
) -> tuple[list[int], list[int], np.ndarray]:  # J' joints of the source, twice; (J',) bool
    rules = joint_map(source, target).rules
    if not any(rule.sources for rule in rules):
        raise ValueError(
            f"no joint of {target.name} can be had from {source.name} "
            f"({', '.join(source.joints)}); take another joint set"
        )
    sources = [rule.sources or (0,) for rule in rules]
    known = np.array([bool(rule.sources) for rule in rules])
    known.setflags(write=False)
    return [places[0] for places in sources], [places[-1] for places in sources], known


def _rule(joint: str, source: Skeleton, target: Skeleton) -> JointRule:
    if source.family == target.family and joint in source.joints:
        return JointRule(joint, "exact", (source.joints.index(joint),))
    if joint in _LIMBS and joint in source.joints:
        return JointRule(joint, "approximate", (source.joints.index(joint),))
    for candidate in _APPROXIMATE.get(f"{target.family} {joint}", ()):
        if isinstance(candidate, tuple):
            names: tuple[str, ...] = candidate
        else:
            family, _, name = candidate.partition(" ")
            names = (name,) if family == source.family else ("",)
        if all(name in source.joints for name in names):
            return JointRule(
                joint, "approximate", tuple(source.joints.index(name) for name in names)
            )
    return JointRule(joint, "impossible", ())
