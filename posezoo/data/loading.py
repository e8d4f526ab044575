"""Batches for training and evaluation, as a function of the step alone.

No state is kept between steps, so a run that was killed goes on at its step with exactly the
batches that it would have had.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, cast

import torch
from torch.utils import data
from torch.utils.data import DataLoader, Sampler

from posezoo.contracts import Batch, Dataset, Sample

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ALL = slice(None)


class StepSampler(Sampler[list[int]]):
    """The indices of the batches of steps `first` to `last`: shuffled anew each epoch.

    `share` is what of each batch is wanted here, where others have the rest.

    Epoch e draws index i + e * len(dataset) for item i, so that datasets can vary what they show.
    """

    def __init__(
        self,
        *,
        length: int,
        limit: int,
        batch_size: int,
        seed: int,
        first: int,
        last: int,
        share: slice = _ALL,
    ) -> None:
        self.length, self.items = length, min(limit or length, length)
        self.batch_size, self.seed, self.first, self.last = batch_size, seed, first, last
        self.share = share

    def __len__(self) -> int:
        return self.last - self.first

    def __iter__(self) -> Iterator[list[int]]:
        drawn = self._draw(self.first * self.batch_size)
        for _ in range(len(self)):
            yield list(islice(drawn, self.batch_size))[self.share]

    def _draw(self, start: int) -> Iterator[int]:
        epoch, position = divmod(start, self.items)
        while True:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            order = torch.randperm(self.items, generator=generator)[position:] + epoch * self.length
            yield from order.tolist()
            epoch, position = epoch + 1, 0


def training_batches(
    dataset: Dataset,
    *,
    batch_size: int,
    seed: int,
    first: int,
    last: int,
    limit: int,
    workers: int,
    pin: bool,
    share: slice = _ALL,
    steps_at_once: int = 1,
) -> Iterable[Batch]:
    """The batches of steps `first` (included) to `last` (not included), or a share of each.

    The items of `steps_at_once` steps are asked of the dataset together, which is cheaper where an
    item costs little. Which steps those are does not depend on the first, so that a run that goes
    on has the same batches to the last bit: items beside others may differ by a rounding.
    """
    begin = first - first % steps_at_once
    sampler = StepSampler(
        length=len(dataset),
        limit=limit,
        batch_size=batch_size,
        seed=seed,
        first=begin,
        last=last,
        share=share,
    )
    if steps_at_once == 1:
        return _loader(dataset, sampler, workers=workers, pin=pin)
    together = _loader(dataset, _Together(sampler, steps_at_once), workers=workers)
    batches = _apart(together, len(range(batch_size)[share]), pin)
    return islice(batches, first - begin, None)


class _Together(Sampler[list[int]]):
    """The indices of several steps as one list."""

    def __init__(self, steps: StepSampler, at_once: int) -> None:
        self.steps, self.at_once = steps, at_once

    def __iter__(self) -> Iterator[list[int]]:
        batches = iter(self.steps)
        while group := [*islice(batches, self.at_once)]:
            yield [index for batch in group for index in batch]


def _apart(groups: Iterable[Batch], size: int, pin: bool) -> Iterator[Batch]:
    for group in groups:
        for batch in group.split(size):
            yield batch.pin_memory() if pin else batch


def ordered_batches(
    dataset: Dataset, *, indices: range, batch_size: int, workers: int = 0, share: slice = _ALL
) -> DataLoader[Batch]:
    """The items of `indices`, in order, the last batch as short as it must be.

    `share` is which of the batches are wanted here, where others have the rest.
    """
    chunks = [list(indices[i : i + batch_size]) for i in range(0, len(indices), batch_size)]
    return _loader(dataset, chunks[share], workers=workers)


class _Loader(DataLoader[Batch]):
    """Holds signals back while it starts workers, until they ignore them."""

    def __iter__(self) -> Any:
        if not self.num_workers or not hasattr(signal, "pthread_sigmask"):  # the second: Windows
            return super().__iter__()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            return super().__iter__()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _begin(worker: int) -> None:
    """Leave signals to the parent, and end if there is none any more.

    A scheduler stops the whole process group; a worker that died of it would cost the save. And
    torch's worker takes whoever adopted it for its parent, if its own was killed before this.
    """
    for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    parent = multiprocessing.parent_process()
    forked = multiprocessing.get_start_method() == "fork"  # else a server may stand between
    if forked and parent is not None and parent.pid != os.getppid():
        os._exit(1)


def _loader(
    dataset: Dataset, batches: Iterable[list[int]], *, workers: int, pin: bool = False
) -> DataLoader[Batch]:
    return _Loader(
        cast("data.Dataset[Batch]", dataset),
        batch_sampler=batches,
        num_workers=workers,
        worker_init_fn=_begin,
        collate_fn=_collate,
        pin_memory=pin,
        # Its own generator: a loader would otherwise draw from torch's, and dropout would differ
        # after a resume.
        generator=torch.Generator(),
    )


def _collate(samples: Batch | list[Sample]) -> Batch:
    """A dataset with `__getitems__` has made the batch already."""
    return samples if isinstance(samples, Batch) else Batch.collate(samples)
