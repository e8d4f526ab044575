"""How a 2D detector errs: fitted to its own predictions, drawn for a lifter's training.

A lifter that has only met true joints does not know what to make of detected ones, and one that
learns from the detector's predictions on the pictures that the detector was trained on meets joints
that are better than those of strangers. So the model is fitted to people whom the detector has not
seen: an ordinary error of each joint (offset and covariance), a share of misses that lie anywhere
about the person, and a share of left-right swaps, each with its own confidences. After the error
statistics of Moon et al. 2019, arXiv:1812.03595 (PoseFix) and Ronchi and Perona 2017,
arXiv:1707.05388, in a simpler form: joints err independently but for an offset of the whole person.

Lengths are in sizes: the root mean square distance of a person's true joints from their mean in
that picture. A model fitted on small crops so serves large pictures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from msgspec import Meta
from torch import Tensor

from posezoo.geometry import person_size
from posezoo.hints import shown
from posezoo.skeleton import SKELETONS, Skeleton
from posezoo.typed_files import Share, decode
from posezoo.whole_files import write_atomically

_FAR = 4.0  # medians of a joint's error: an ordinary one is nearer, all but 2 in 100,000
_CLOSER = 0.5  # a swap: so much nearer to the mirrored joint than to its own
_LEVELS = 11  # quantiles of the confidence, from the least to the greatest
_ASSUMED, _ASSUMED_SHARED = 0.05, 0.02  # standard deviations in sizes
_FEWEST = 20  # predictions of a joint that a model is fitted to

Chance = Callable[[int, str], Tensor]  # so many numbers of a name: (B, count) in [0, 1)
Pairs = tuple[tuple[float, float], tuple[float, float]]  # a 2 x 2 covariance
Levels = Annotated[tuple[float, ...], Meta(min_length=_LEVELS, max_length=_LEVELS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointErrors:
    """Of one joint. Offsets and covariances in sizes, x before y."""

    offset: tuple[float, float]  # mean of the ordinary errors
    covariance: Pairs  # of the ordinary errors about it, without the whole person's offset
    missed: Share
    missed_covariance: Pairs  # of a miss about the true place
    swapped: Share  # found at the mirrored joint's place
    confidence: Levels  # quantiles of an ordinary find
    missed_confidence: Levels
    swapped_confidence: Levels


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorErrors:
    """The error model of a detector."""

    joints: Mapping[str, JointErrors]  # by name, in the skeleton's order
    mirror: tuple[int, ...]
    shared: Pairs  # covariance of the offset that all joints of a person share, in sizes

    @classmethod
    def fit(
        cls,
        predicted: Tensor,  # (N, J, 2) px
        true: Tensor,  # (N, J, 2) px
        confidence: Tensor,  # (N, J), 0 to 1
        labelled: Tensor,  # (N, J) bool: the true place is known
        skeleton: Skeleton,
    ) -> Self:
        """Fit to predictions on people whom the detector has not been trained on.

        Raises:
            ValueError: too few predictions of a joint.
        """
        labelled = labelled & predicted.isfinite().all(-1)
        size, order = person_size(true, labelled)[:, None], list(skeleton.mirror)
        error = ((predicted - true) / size).double().where(labelled[..., None], 0)
        to_mirror = ((predicted - true[:, order]) / size).norm(dim=-1).double()
        to_mirror = to_mirror.where(labelled[:, order], torch.inf)
        length = error.norm(dim=-1)
        far = length > _FAR * length.where(labelled, torch.nan).nanmedian(0).values
        swapped = labelled & far & (to_mirror < _CLOSER * length)
        missed = labelled & far & ~swapped
        ordinary = labelled & ~swapped & ~missed
        counts = labelled.sum(0)
        if int(counts.min()) < _FEWEST or int(ordinary.sum(0).min()) < _FEWEST:
            name = skeleton.joints[int(ordinary.sum(0).argmin())]
            raise ValueError(
                f"{name}: {int(ordinary.sum(0).min())} ordinary finds among "
                f"{int(counts.min())} predictions; an error model needs at least {_FEWEST} of each "
                "joint: take more poses (--limit), or a detector that has learned more"
            )
        weight = ordinary[..., None].double()
        offset = (error * weight).sum(0) / weight.sum(0)
        rest = (error - offset) * weight
        mean = rest.sum(1) / weight.sum(1).clamp_min(1)  # (N, 2)
        own = [_covariance(rest[ordinary[:, j], j]) for j in range(error.shape[1])]
        # The mean of n joints has the covariance T + N / n, each joint T + N: solved for T.
        part = 1 / weight.sum(1).mean()
        shared = _positive((_covariance(mean) - part * torch.stack(own).mean(0)) / (1 - part))
        joints = {}
        for j, name in enumerate(skeleton.joints):
            misses = error[missed[:, j], j]
            joints[name] = JointErrors(
                offset=_floats(offset[j]),
                covariance=_pairs(_positive(own[j] - shared)),
                missed=missed[:, j].sum().item() / counts[j].item(),
                missed_covariance=_pairs(_second_moment(misses)),
                swapped=swapped[:, j].sum().item() / counts[j].item(),
                confidence=_quantiles(confidence[ordinary[:, j], j]),
                missed_confidence=_quantiles(confidence[missed[:, j], j]),
                swapped_confidence=_quantiles(confidence[swapped[:, j], j]),
            )
        return cls(joints=joints, mirror=tuple(order), shared=_pairs(shared))

    @classmethod
    def assumed(cls, skeleton: Skeleton) -> Self:
        """A plain guess where no detector has been measured.

        Normal errors of 5 % of a person's size in each axis, twice that at the top of the head,
        and 2 % that all joints share; no misses, no swaps, confidence 1. BlazePose errs by 3 to
        5 % on a person who stands free (docs/prediction.md).
        """
        sure = (1.0,) * _LEVELS
        joints = {
            name: JointErrors(
                offset=(0.0, 0.0),
                covariance=_round(_ASSUMED * (2 if name == "head" else 1)),
                missed=0.0,
                missed_covariance=_round(0.0),
                swapped=0.0,
                confidence=sure,
                missed_confidence=sure,
                swapped_confidence=sure,
            )
            for name in skeleton.joints
        }
        shared = _round(_ASSUMED_SHARED)
        return cls(joints=joints, mirror=tuple(skeleton.mirror), shared=shared)

    def apply(
        self,
        joints2d: Tensor,  # (B, T, J, 2) px, true; NaN where not known
        chance: Chance | None = None,  # None: torch's own generator
    ) -> tuple[Tensor, Tensor]:  # (B, T, J, 2) px as a detector finds them; confidence (B, T, J)
        """Draw what the detector would have made of true joints."""
        shape, frames = joints2d.shape[:-1], joints2d.shape[1]
        draw = chance or partial(_own_chance, joints2d)
        every = frames * shape[-1]
        kind = draw(every, "kind").view(shape)  # one draw decides it
        swapped = kind < self._column("swapped", joints2d)
        missed = ~swapped & (kind < self._column("swapped", joints2d)
                             + self._column("missed", joints2d))  # fmt: skip
        place = torch.where(swapped[..., None], joints2d[..., list(self.mirror), :], joints2d)
        spread = self._roots([joint.covariance for joint in self.joints.values()], joints2d)
        wild = self._roots([joint.missed_covariance for joint in self.joints.values()], joints2d)
        drawn = _normal(draw(2 * every, "error")).view(*shape, 2, 1).to(joints2d)
        own = self._column("offset", joints2d) + (spread @ drawn)[..., 0]
        error = torch.where(missed[..., None], (wild @ drawn)[..., 0], own)
        drawn = _normal(draw(2 * frames, "shared")).view(-1, frames, 1, 2, 1).to(joints2d)
        shared = (self._roots([self.shared], joints2d) @ drawn)[..., 0]
        size = person_size(joints2d, joints2d.isfinite().all(-1))
        found = place + size[..., None] * (error + shared)
        where = draw(every, "confidence").view(shape).to(joints2d) * (_LEVELS - 1)
        return found, self._confidence(swapped, missed, where)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_atomically(path, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path, skeleton: Skeleton) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: no such file, not an error model, or one of other joints.
        """
        found = cls._read(path)
        if tuple(found.joints) != skeleton.joints or found.mirror != tuple(skeleton.mirror):
            raise ValueError(
                f"{path}: an error model of {shown(', '.join(found.joints), 200)}; expected the "
                f"joints {', '.join(skeleton.joints)} and their mirror"
            )
        return found

    @classmethod
    def load_any(cls, path: Path) -> tuple[Self, Skeleton]:
        """As `load`, of whichever joint set the file is.

        Raises:
            ValueError: as `load`; or no known joint set has its joints.
        """
        found = cls._read(path)
        for skeleton in SKELETONS.values():
            if tuple(found.joints) == skeleton.joints and found.mirror == tuple(skeleton.mirror):
                return found, skeleton
        raise ValueError(
            f"{path}: an error model of {shown(', '.join(found.joints), 200)}; no joint set has "
            f"these joints in this order. Known: {', '.join(SKELETONS)}"
        )

    @classmethod
    def _read(cls, path: Path) -> Self:
        if not path.is_file():
            raise ValueError(
                f"{path}: no such error model; posezoo errors RUN --out FILE makes one"
            )
        return decode(path, cls, expected="an error model")

    def _column(self, name: str, like: Tensor) -> Tensor:
        return like.new_tensor([getattr(joint, name) for joint in self.joints.values()])

    @staticmethod
    def _roots(covariances: list[Pairs], like: Tensor) -> Tensor:  # (..., 2, 2)
        """Matrices that turn two independent unit normals into errors of these covariances."""
        values, vectors = torch.linalg.eigh(torch.tensor(covariances, dtype=torch.float64))
        return (vectors * values.clamp_min(0).sqrt()[:, None, :]).to(like)

    def _confidence(
        self,
        swapped: Tensor,  # (B, T, J) bool
        missed: Tensor,  # (B, T, J) bool
        place: Tensor,  # (B, T, J) among the quantiles
    ) -> Tensor:  # (B, T, J)
        """By the quantiles of the kind of find: uniform between two neighbouring ones."""
        kinds = ("confidence", "missed_confidence", "swapped_confidence")
        table = torch.stack([self._column(name, place) for name in kinds], 1)  # (J, 3, levels)
        kind = missed.long() + 2 * swapped.long()
        own = table[torch.arange(len(table), device=place.device), kind]  # (B, T, J, levels)
        low = place.long().clamp_max(_LEVELS - 2)[..., None]
        low_value, high_value = own.gather(-1, low)[..., 0], own.gather(-1, low + 1)[..., 0]
        return low_value + (place - low[..., 0]) * (high_value - low_value)


def _own_chance(like: Tensor, count: int, name: str) -> Tensor:  # (B, count)
    return torch.rand(len(like), count, device=like.device)


def _normal(uniform: Tensor) -> Tensor:
    return torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6))


def _covariance(errors: Tensor) -> Tensor:  # (N, 2) -> (2, 2)
    return torch.cov(errors.T)


def _second_moment(errors: Tensor) -> Tensor:  # (N, 2) -> (2, 2); nothing missed: 0
    return errors.T @ errors / max(1, len(errors))


def _positive(covariance: Tensor) -> Tensor:
    """The nearest covariance: a difference of two estimates may have a negative direction."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag(values.clamp_min(0)) @ vectors.T


def _quantiles(confidence: Tensor) -> tuple[float, ...]:
    """Of what there is; of nothing, 0."""
    if not len(confidence):
        return (0.0,) * _LEVELS
    levels = torch.linspace(0, 1, _LEVELS, dtype=torch.float64)
    return _floats(torch.quantile(confidence.double(), levels))


def _round(deviation: float) -> Pairs:
    """The covariance of errors that are alike in all directions."""
    return (deviation**2, 0.0), (0.0, deviation**2)


def _floats(values: Tensor) -> Any:
    return tuple(float(value) for value in values)


def _pairs(covariance: Tensor) -> Any:
    return tuple(_floats(line) for line in covariance)
