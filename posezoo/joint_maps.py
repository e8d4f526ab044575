"""Poses of one joint set as poses of another: a fixed matrix for each pair of sets.

Exact: both sets are of one family and have the joint. Approximate: a joint that stands close by,
or the middle of two, by the table below. Estimated: a weighted sum of joints that stand elsewhere,
such as a head's top from ears and shoulders; only where it is asked for, by what must have all
joints, as a lifter must. Impossible: nothing in the source says where the joint is; it comes out as
0 and unlabelled. Approximate is not harmless: taking COCO's key points for Human3.6M's costs a
lifter some 20 mm (VideoPose3D issue 245).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from posezoo.skeleton import Skeleton

Quality = Literal["exact", "approximate", "estimated", "impossible"]
Points = TypeVar("Points", np.ndarray, Tensor)

_LIMBS = {
    f"{side}_{joint}"
    for side in ("left", "right")
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
_EARS = ("left_ear", "right_ear")
# Target family and joint: what may stand for it, the best first. "family joint" is a joint of that
# family; a pair of plain names is the middle of those two joints of any family.
_APPROXIMATE: dict[str, tuple[str | tuple[str, str], ...]] = {
    "h36m pelvis": ("mpii pelvis", "3dhp pelvis", "smpl pelvis", "coco hip", _HIPS),
    "h36m spine": ("3dhp spine", "cmu lower_back", "smpl spine2"),
    "h36m thorax": (
        *("mpii upper_neck", "3dhp neck", "smpl neck", "coco neck", "cmu thorax", _SHOULDERS),
    ),
    "h36m neck": ("3dhp head", "cmu upper_neck", "smpl head"),
    "h36m head": ("mpii head_top", "3dhp head_top", "smpl head_top", "coco head_top", "cmu head"),
    "mpii pelvis": ("h36m pelvis", "3dhp pelvis", "smpl pelvis", "coco hip", _HIPS),
    "mpii thorax": (_SHOULDERS,),
    "mpii upper_neck": ("h36m thorax", "3dhp neck", "smpl neck", "coco neck", "cmu lower_neck"),
    "mpii head_top": ("h36m head", "3dhp head_top", "smpl head_top", "coco head_top", "cmu head"),
    "3dhp pelvis": ("h36m pelvis", "mpii pelvis", "smpl pelvis", "coco hip", _HIPS),
    "3dhp spine": ("h36m spine", "cmu lower_back", "smpl spine2"),
    "3dhp neck": (
        *("h36m thorax", "mpii upper_neck", "smpl neck", "coco neck", "cmu thorax", _SHOULDERS),
    ),
    "3dhp head": ("h36m neck", "cmu upper_neck", "smpl head"),
    "3dhp head_top": ("h36m head", "mpii head_top", "smpl head_top", "coco head_top", "cmu head"),
    "coco nose": ("blazepose nose", "h36m neck"),
    "coco neck": (
        *("h36m thorax", "mpii upper_neck", "3dhp neck", "smpl neck", "cmu thorax", _SHOULDERS),
    ),
    "coco hip": ("h36m pelvis", "mpii pelvis", "3dhp pelvis", "smpl pelvis", _HIPS),
    "coco head_top": ("h36m head", "mpii head_top", "3dhp head_top", "smpl head_top", "cmu head"),
    "cmu lower_back": ("h36m spine", "3dhp spine"),
    "cmu thorax": ("h36m thorax", "3dhp neck", "coco neck"),
    "cmu upper_neck": ("h36m neck", "3dhp head"),
    "cmu head": ("h36m head", "mpii head_top", "3dhp head_top", "coco head_top"),
}
for _side in ("left", "right"):
    _APPROXIMATE |= {
        f"coco {_side}_{joint}": (f"blazepose {_side}_{twin}",)
        for joint, twin in (
            ("eye", "eye"),
            ("ear", "ear"),
            ("heel", "heel"),
            ("big_toe", "foot_index"),
        )
    }
# The places of `places31`: what other families put there. Hips and shoulders are centres of joints
# in motion capture, points on the skin in COCO's family and MPII; BlazePose's hips lie lower still.
_CENTRES = ("h36m", "cmu", "smpl", "3dhp", "humaneva")
_PLACES: dict[str, tuple[str, ...]] = {
    "head_top": ("coco head_top", "mpii head_top", "3dhp head_top", "smpl head_top"),
    "middle_of_shoulders": ("coco neck", "mpii thorax"),
    "middle_of_hips": ("coco hip", "mpii pelvis"),
    "nose": ("coco nose", "blazepose nose"),
}
for _side in ("left", "right"):
    for _part in ("eye", "ear"):
        _PLACES[f"{_side}_{_part}"] = tuple(
            f"{family} {_side}_{_part}" for family in ("coco", "blazepose")
        )
    _PLACES[f"{_side}_skin_shoulder"] = tuple(
        f"{family} {_side}_shoulder" for family in ("coco", "mpii", "blazepose")
    )
    _PLACES[f"{_side}_skin_hip"] = tuple(f"{family} {_side}_hip" for family in ("coco", "mpii"))
    _PLACES[f"{_side}_low_hip"] = (f"blazepose {_side}_hip",)
# Target family and joint: on the line from one place to another, at that share of the way; above 1
# beyond the second. A place is a joint of the target, or the middle of two of the source. Measured
# on one man in twelve pictures (docs/detectors.md): good to some 2 cm, for other bodies unknown.
_Place = str | tuple[str, str]
_ESTIMATES: dict[str, tuple[_Place, _Place, float]] = {
    "h36m spine": ("pelvis", "thorax", 0.5),
    "h36m neck": ("thorax", "head", 0.6),
    "h36m head": (_SHOULDERS, _EARS, 1.83),
}
# BlazePose's hips lie lower than Human3.6M's: both move up by this share of the trunk.
_RAISED_HIPS = {("blazepose", "h36m"): 0.06}
# Where nothing better is asked for: labels of the joint, though they stand elsewhere.
_ROUGH = {"h36m neck": "coco nose"}
_COUNTS = 0.25  # a joint of less weight than this makes the sum no surer, and no less sure


@dataclass(frozen=True, slots=True)
class JointRule:
    """Where one joint of the target comes from."""

    joint: str
    quality: Quality
    sources: tuple[int, ...]  # joints of the source whose weighted sum it is, or none
    weights: tuple[float, ...]  # of the sources; they sum to 1


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
        if far := self.joints("estimated"):
            texts.append(f"estimated: {', '.join(far)}")
        if missing := self.joints("impossible"):
            texts.append(f"{self.source.name} has no {', '.join(missing)}")
        return f"{self.source.name} to {self.target.name}: {'; '.join(texts)}"

    def _origin(self, rule: JointRule) -> str:
        names = " and ".join(self.source.joints[j] for j in rule.sources)
        if len(rule.sources) > 1:
            return f"{rule.joint} (the middle of {names})"
        return rule.joint if names == rule.joint else f"{rule.joint} (from {names})"


@cache
def joint_map(source: Skeleton, target: Skeleton, *, estimate: bool = False) -> JointMap:
    """The rules from one joint set to another; `estimate`: joints that stand elsewhere too."""
    maker = _Maker(source, target, estimate)
    return JointMap(source, target, tuple(maker.rule(joint) for joint in target.joints))


def map_joints(
    points: Points,  # (..., J, D) of the source set, any unit and frame
    source: Skeleton,
    target: Skeleton,
    *,
    estimate: bool = False,
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
    places, weights, known = _matrix(source, target, estimate)
    # Not a product of matrices: a joint without a number (NaN) must spoil no other.
    mapped = points[..., places[:, 0].tolist(), :] * _beside(weights[:, :1], points)
    for place, weight in zip(places.T[1:], weights.T[1:], strict=True):
        mapped = mapped + points[..., place.tolist(), :] * _beside(weight[:, None], points)
    mapped[..., np.flatnonzero(~known).tolist(), :] = 0
    return mapped, _beside(known, mapped)


def map_labels(
    labelled: Points,  # (..., J) bool, of the source set
    source: Skeleton,
    target: Skeleton,
    *,
    estimate: bool = False,
) -> Points:  # (..., J') bool
    """Which joints of the target are known where the source labels only some of its own."""
    places, _, known = _matrix(source, target, estimate)
    every = labelled[..., places[:, 0].tolist()] & _beside(known, labelled)
    for place in places.T[1:]:
        every = every & labelled[..., place.tolist()]
    return every


def map_confidence(
    confidence: Points,  # (..., J) 0 to 1, of the source set
    source: Skeleton,
    target: Skeleton,
    *,
    estimate: bool = False,
) -> Points:  # (..., J') 0 to 1
    """How sure the joints of the target are: as the least sure of those that count; unknown: 0."""
    places, weights, known = _matrix(source, target, estimate)
    counted = np.where(np.abs(weights) >= _COUNTS, places, places[:, :1])
    sure = confidence[..., counted.tolist()]
    least: Points = sure.amin(-1) if isinstance(sure, Tensor) else np.asarray(sure.min(-1))
    return least * _beside(known, least)


def _beside(values: np.ndarray, like: Points) -> Points:
    """A copy of the kind, and at the place, of `like`; numbers in its precision."""
    if isinstance(like, Tensor):
        precise = values.dtype.kind == "f" and like.is_floating_point()
        return torch.from_numpy(values.copy()).to(like.device, like.dtype if precise else None)
    return values.astype(like.dtype if values.dtype.kind == like.dtype.kind else values.dtype)


@cache
def _matrix(
    source: Skeleton, target: Skeleton, estimate: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K joints of the source for each of the target (J', K), their weights, and known (J',) bool.

    A joint of fewer sources repeats its first, with weight 0.
    """
    rules = joint_map(source, target, estimate=estimate).rules
    longest = max(len(rule.sources) for rule in rules)
    if not longest:
        raise ValueError(
            f"no joint of {target.name} can be had from {source.name} "
            f"({', '.join(source.joints)}); take another joint set"
        )
    places = np.zeros((len(rules), longest), np.int64)
    weights = np.zeros((len(rules), longest))
    for row, rule in enumerate(rules):
        places[row] = rule.sources[0] if rule.sources else 0
        places[row, : len(rule.sources)] = rule.sources
        weights[row, : len(rule.sources)] = rule.weights
    known = np.array([bool(rule.sources) for rule in rules])
    for table in (places, weights, known):
        table.setflags(write=False)
    return places, weights, known


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the rules of one pair of sets."""

    source: Skeleton
    target: Skeleton
    estimate: bool

    def rule(self, joint: str) -> JointRule:
        at_place = self.target.family == "places" != self.source.family
        quality, weights = (self.at_place if at_place else self.formula)(joint)
        shares = {self.source.joints.index(name): weight for name, weight in weights.items()}
        return JointRule(joint, quality, tuple(shares), tuple(shares.values()))

    def formula(self, joint: str) -> tuple[Quality, dict[str, float]]:
        """How sure a joint of the target is, and joints of the source with their weights."""
        same_family = self.source.family == self.target.family
        if same_family and joint in self.source.joints:
            return "exact", {joint: 1.0}
        if joint in _LIMBS and joint in self.source.joints:
            return self.judged(self.raised(joint))
        name = f"{self.target.family} {joint}"
        for candidate in _APPROXIMATE.get(name, ()):
            if weights := self.stand_in(candidate):
                return self.judged(weights)
        if self.estimate and name in _ESTIMATES:
            first, second, share = _ESTIMATES[name]
            start, end = self.place(first), self.place(second)
            if start and end:
                return "estimated", _sum((start, 1 - share), (end, share))
        if name in _ROUGH and (weights := self.stand_in(_ROUGH[name])):
            return "approximate", weights
        return "impossible", {}

    def at_place(self, joint: str) -> tuple[Quality, dict[str, float]]:
        """The joint that stands there, and nothing that stands close by."""
        for candidate in _PLACES.get(joint, ()):
            if weights := self.stand_in(candidate):
                return "exact", weights
        hinge = joint.endswith(("_knee", "_ankle", "_elbow", "_wrist"))
        centre = joint == "pelvis" or joint in _LIMBS
        meant = hinge or self.source.family in (_CENTRES if centre else _CENTRES[:2])
        if meant and joint in self.source.joints and joint not in _PLACES:
            return "exact", {joint: 1.0}
        return "impossible", {}

    def judged(self, weights: dict[str, float]) -> tuple[Quality, dict[str, float]]:
        """One joint, or the middle of two, stands where it was; other sums do not."""
        return ("estimated" if len(weights) > len(_HIPS) else "approximate"), weights

    def stand_in(self, candidate: str | tuple[str, str]) -> dict[str, float]:
        """One joint of a family, or the middle of two of any; empty: the source has none such."""
        if isinstance(candidate, tuple):
            return self.place(candidate)
        family, _, name = candidate.partition(" ")
        return {name: 1.0} if family == self.source.family and name in self.source.joints else {}

    def place(self, place: _Place) -> dict[str, float]:
        """A joint of the target, or the middle of two of the source."""
        if isinstance(place, str):
            return self.formula(place)[1] if place in self.target.joints else {}
        if not all(name in self.source.joints for name in place):
            return {}
        return _sum(*((self.raised(name), 0.5) for name in place))

    def raised(self, joint: str) -> dict[str, float]:
        """The joint itself; a hip that lies too low, moved towards the shoulders."""
        share = _RAISED_HIPS.get((self.source.family, self.target.family), 0.0)
        if joint not in _HIPS or not (share and self.estimate):
            return {joint: 1.0}
        shoulders, hips = (dict.fromkeys(pair, 0.5) for pair in (_SHOULDERS, _HIPS))
        return _sum(({joint: 1.0}, 1.0), (shoulders, share), (hips, -share))


def _sum(*terms: tuple[dict[str, float], float]) -> dict[str, float]:
    """The weighted sum of places, which are weighted sums of joints; the heaviest joint first."""
    total: dict[str, float] = {}
    for place, weight in terms:
        for name, share in place.items():
            total[name] = total.get(name, 0.0) + weight * share
    kept = {name: weight for name, weight in total.items() if weight}
    return dict(sorted(kept.items(), key=lambda item: -abs(item[1])))
