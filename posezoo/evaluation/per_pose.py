"""Errors of every pose and joint of a dataset, with whose they are, and their means.

What `evaluate` and `attribute` share: going through the items that a protocol counts, and averaging
as it says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from posezoo.contracts import Batch, Dataset
from posezoo.data.loading import ordered_batches
from posezoo.evaluation.bootstrap import Cells, bootstrap
from posezoo.evaluation.protocol import Aggregate, Protocol
from posezoo.pipeline import Pipeline
from posezoo.ranks import as_bytes, as_tensor, here

_WORDS, _FACTS = " words", " facts"  # beside the errors of a batch

Progress = Callable[[int, int], None]  # is told how many items are done, and of how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What comes of a batch."""

    errors: dict[str, Tensor]  # (B, T, J) float64 each; NaN: not known
    not_finite: list[str]  # the items that have none, since a number of them is none
    facts: bytes = b""  # what else is to be kept of it


@dataclass(frozen=True, slots=True, kw_only=True)
class PerPose:
    """Named errors of N poses."""

    errors: dict[str, Tensor]  # (N, J) float64 each, of the protocol's joints; NaN: not known
    joints: tuple[str, ...]  # their names
    names: tuple[tuple[str, str, str], ...]  # subject, action and sequence of each pose
    not_finite: tuple[str, ...] = ()  # those that have no error, since a number of them is none
    facts: tuple[bytes, ...] = ()  # of each batch

    def __len__(self) -> int:
        return len(self.names)

    def people(self, *, among: Collection[str]) -> tuple[str, ...]:
        """Those of the poses who are among these, sorted."""
        return tuple(sorted({subject for subject, _, _ in self.names} & set(among)))

    def by(self, aggregate: Aggregate) -> dict[str, dict[str, float]]:
        """The mean of each error in each group, in the order of their names."""
        groups = self._groups(aggregate)
        means = {}
        for group in sorted(set(groups)):
            rows = torch.tensor([name == group for name in groups])
            means[group] = _known_means({k: each[rows] for k, each in self.errors.items()})
        return means

    def by_joint(self) -> dict[str, dict[str, float]]:
        """The mean of each error at each joint."""
        return {
            joint: _known_means({k: each[:, place] for k, each in self.errors.items()})
            for place, joint in enumerate(self.joints)
        }

    def mean(self, aggregate: Aggregate) -> dict[str, float]:
        """The mean over groups of the mean within each; NaN of what is known nowhere."""
        groups = self.by(aggregate).values()
        found = {name: [each[name] for each in groups if name in each] for name in self.errors}
        return {name: sum(v) / len(v) if v else math.nan for name, v in found.items()}

    def interval(self, name: str, aggregate: Aggregate) -> tuple[float, float]:
        """The 95 % interval of that mean, by bootstrap over sequences."""
        return bootstrap(self.cells(name, aggregate))

    def cells(self, name: str, aggregate: Aggregate) -> Cells:
        """That error by sequence and group."""
        sequences = [sequence for _, _, sequence in self.names]
        return Cells.of(self.errors[name], sequences, self._groups(aggregate))

    def _groups(self, aggregate: Aggregate) -> list[str]:
        if aggregate == "poses":
            return ["all"] * len(self.names)
        return [subject if aggregate == "subject" else action for subject, action, _ in self.names]


def collect(
    pipeline: Pipeline,
    dataset: Dataset,
    protocol: Protocol,
    judged: Callable[[Batch], Judged],
    *,
    data: str,
    batch_size: int,
    device: torch.device,
    bf16: bool = False,
    workers: int = 0,
    max_samples: int = 0,
    progress: Progress | None = None,
) -> PerPose:
    """The errors of the items that the protocol counts, in order.

    Ranks take turns with the batches, and all of them have the whole, to the bit what one would
    have. `max_samples` takes that many items spread
    evenly over the split instead (0: all). The pipeline is left in the mode in which it came.

    Raises:
        ValueError: the protocol leaves no pose.
    """
    step = protocol.stride
    if max_samples:
        step *= max(1, -(-len(dataset) // (step * max_samples)))
    indices, done, ranks = range(0, len(dataset), step), 0, here()
    loader = ordered_batches(
        dataset, indices=indices, batch_size=batch_size, workers=workers, share=ranks.turns
    )
    parts: list[dict[str, Tensor]] = []
    training = pipeline.training
    pipeline.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for loaded in loader:
            done += len(loaded) * ranks.size
            if progress is not None:
                progress(min(done, len(indices)), len(indices))
            batch = _counted(loaded, protocol)
            if not len(batch):
                parts.append({})  # it holds its place among the batches of all ranks
                continue
            each = judged(batch.to(device))
            frames = next(iter(each.errors.values())).shape[1]
            whose = zip(batch.subject, batch.action, batch.sequence, strict=True)
            names = [name for name in whose for _ in range(frames)]
            words = json.dumps([names, each.not_finite]).encode()
            parts.append({k: value.flatten(0, 1).cpu() for k, value in each.errors.items()})
            parts[-1] |= {_WORDS: as_tensor(words), _FACTS: as_tensor(each.facts)}
    pipeline.train(training)
    found = [{**part} for part in ranks.in_order(parts) if part]
    if not found:
        raise ValueError(f"{data}: protocol {protocol.key} leaves no pose of it")
    said = [json.loads(as_bytes(part.pop(_WORDS))) for part in found]
    facts = tuple(as_bytes(part.pop(_FACTS)) for part in found)
    joints = list(protocol.joints or range(pipeline.skeleton.num_joints))
    return PerPose(
        errors={name: torch.cat([each[name] for each in found])[:, joints] for name in found[0]},
        joints=tuple(pipeline.skeleton.joints[joint] for joint in joints),
        names=tuple((*name,) for names, _ in said for name in names),
        not_finite=tuple(name for _, broken in said for name in broken),
        facts=facts,
    )


def _counted(batch: Batch, protocol: Protocol) -> Batch:
    """Those of a batch that the protocol counts."""
    if not protocol.subjects and not protocol.drop:
        return batch
    counts = [
        (not protocol.subjects or subject in protocol.subjects) and sequence not in protocol.drop
        for subject, sequence in zip(batch.subject, batch.sequence, strict=True)
    ]
    return batch.items(torch.tensor(counts))


def _known_means(errors: dict[str, Tensor]) -> dict[str, float]:
    """The mean of each error that is known of some joint at all."""
    means = {name: values.nanmean().item() for name, values in errors.items()}
    return {name: mean for name, mean in means.items() if not math.isnan(mean)}
