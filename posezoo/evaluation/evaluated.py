"""What an evaluation was of: which poses, those without an error, and who was seen in training."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

import torch
from torch import Tensor

from posezoo.assembly import build_dataset
from posezoo.contracts import Batch, PoseResult
from posezoo.evaluation.per_pose import PerPose
from posezoo.registry import parse_node, split_nodes
from posezoo.settings import Settings

_STEPS_A_MM = 10  # poses count as the same if they agree to a tenth of a mm, or of a pixel


def fingerprint(items: Iterable[bytes]) -> str:
    """A hash of evaluated items, in order: equal if they are the same people, poses and cameras.

    Words that only training heeds leave it as it is.
    """
    found = hashlib.blake2b(digest_size=5)
    for each in items:
        found.update(each)
    return found.hexdigest()


def facts(truth: Batch, *, with_2d: bool) -> bytes:
    """What of a batch the fingerprint is of.

    A pipeline that sees pictures counts by its 3D truth, whatever their size; a lifter is given 2D
    joints, which count as well.
    """
    known = [truth.joints3d.where(truth.labelled3d[..., None], 0), truth.root_mm]
    if with_2d or not truth.labelled3d.any():
        known.append(truth.joints2d.where(truth.labelled2d[..., None], 0))
    rows = [_rounded(each) for each in known]
    names = zip(truth.subject, truth.action, truth.sequence, strict=True)
    return b"".join(
        part
        for item, name in enumerate(names)
        for part in ("/".join(name).encode(), *(row[item].numpy().tobytes() for row in rows))
    )


def require_finite(found: PerPose, *, data: str, pipeline: str) -> None:
    """Ask for a pose that has an error.

    Raises:
        ValueError: there is none.
    """
    if len(found.not_finite) == len(found):
        raise ValueError(
            f"none of {len(found)} poses of {data} has a finite error: '{pipeline}' gives NaN or "
            f"infinity, as for {found.not_finite[0]}; train again with a lower --lr"
        )


def named(
    truth: Batch,
    chosen: Tensor,  # (B,) bool
) -> list[str]:
    """Which poses they are, in words."""
    return [truth.name(item) for item in chosen.nonzero().flatten().tolist()]


def where_not_finite(result: PoseResult, truth: Batch) -> Tensor:  # (B, T) bool
    """Where a number is none that an error would be made of: NaN, or infinite.

    Such a pose has no error in any metric, and counts in no mean.
    """
    numbers = [truth.joints3d.masked_fill(~truth.labelled3d[..., None], 0)]
    if result.joints3d is not None:
        numbers.append(result.joints3d)
    for joints2d in (truth.joints2d, result.joints2d):
        if joints2d is not None:
            numbers.append(joints2d.masked_fill(~truth.labelled2d[..., None], 0))
    return torch.stack([~each.isfinite().all(-1).all(-1) for each in numbers]).any(0)


def people_trained_on(settings: Settings) -> Collection[str] | None:
    """Everybody that a run was trained on, by name; None where its data are not here any more."""
    nodes = [settings.data, *split_nodes(settings.mix)]
    people: set[str] = set()
    for node in nodes:
        try:
            people.update(
                build_dataset(parse_node(node).with_params(split="train"), pictures=False).subjects
            )
        except (ValueError, OSError):
            return None
    return people


def _rounded(values: Tensor) -> Tensor:  # int64, on the CPU
    return (values.double().nan_to_num() * _STEPS_A_MM).round().long().flatten(1).cpu()
