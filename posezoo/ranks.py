"""The processes that share one piece of work, as torchrun starts them, seen from one of them.

`here()` is this process's place among them: the first of one, but for where it has `joined()`.
Alone, every method gives back what it was given, so there is one code for one process and for many.
What travels is tensors and bytes: nothing is pickled.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor

FILE = "POSEZOO_RANKS"  # where the ranks of one machine meet, if they need no network to do so
_POLL_S = 0.02
_PATIENCE = timedelta(days=365)  # one that died is noticed by its closed connection, at any time


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """A place among the processes."""

    rank: int = 0
    size: int = 1
    local: int = 0  # among those of this machine, and so the number of its GPU
    local_size: int = 1
    group: Any = None  # by way of the CPU, for all but gradients
    store: Any = None  # words that outlive the group
    again: bool = False  # in place of some that ended: torchrun started them once more

    @property
    def is_first(self) -> bool:
        """The one that writes: folders, logs and the screen."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This rank's of so many items: neighbours; sizes differ by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    @property
    def turns(self) -> slice:
        """This rank's of a list that is dealt out, one to each in turn."""
        return slice(self.rank, None, self.size)

    def sum(self, value: Tensor) -> Tensor:
        """The sum over ranks, equal to the bit on all."""
        if self.size > 1:
            value = value.detach().clone()
            dist.all_reduce(value, group=None if value.is_cuda else self.group)
        return value

    def mean(self, value: Tensor) -> Tensor:
        """The mean over ranks, equal to the bit on all."""
        return self.sum(value) / self.size if self.size > 1 else value

    def greatest(self, number: int) -> int:
        """The greatest of everybody's numbers."""
        if self.size > 1:
            value = torch.tensor(number)
            dist.all_reduce(value, dist.ReduceOp.MAX, group=self.group)
            number = int(value)
        return number

    def wait(self) -> None:
        """Until all are here, however long that takes."""
        self.greatest(0)

    def gather(self, content: bytes) -> list[bytes]:
        """Everybody's content, by rank."""
        if self.size == 1:
            return [content]
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(lengths, torch.tensor([len(content)]), group=self.group)
        longest = max(int(length) for length in lengths)
        own = torch.zeros(longest, dtype=torch.uint8)
        own[: len(content)] = as_tensor(content)
        all_ = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(all_, own, group=self.group)
        return [as_bytes(each[: int(n)]) for each, n in zip(all_, lengths, strict=True)]

    def told(self, text: str) -> str:
        """What the first rank says."""
        return self.gather(text.encode() if self.is_first else b"")[0].decode()

    def in_order(self, parts: Sequence[Mapping[str, Tensor]]) -> list[Mapping[str, Tensor]]:
        """Everybody's parts of a list that was dealt out by `turns`, in the list's own order."""
        if self.size == 1:
            return [*parts]
        named = {
            f"{k}.{place}.{name}": each  # safetensors have an order of their own
            for k, part in enumerate(parts)
            for place, (name, each) in enumerate(part.items())
        }
        found = self.gather(len(parts).to_bytes(8, "little") + save(named))
        return [part for part in chain(*zip_longest(*map(_parts, found))) if part is not None]

    def copy_state(self, module: torch.nn.Module) -> None:
        """Give every rank the first one's weights and buffers."""
        if self.size > 1:
            for value in module.state_dict().values():
                dist.broadcast(value, 0, group=None if value.is_cuda else self.group)

    def draw_apart(self, seed: int, step: int) -> None:
        """Let each rank draw other random numbers in this step, whatever came before it."""
        if self.size > 1:
            torch.manual_seed(((seed * 1_000_003 + step) * 4096 + self.rank) % 2**63)

    def speaks_first(self, text: str) -> bool:
        """Whether nobody has said yet why the work ends; `text` then is what is said."""
        try:
            first = self.store is None or self.store.add("ends", 1) == 1
            if first and self.store is not None:
                self.store.set("said", text)
        except RuntimeError:  # the store went with the rank that held it
            return True
        return bool(first)


def here() -> Ranks:
    """This process's place."""
    return _here


def is_one_of_several() -> bool:
    """Whether torchrun, or `--devices`, started this process beside others."""
    # Kubernetes' operators set the first one in pods in which nothing was started by torchrun.
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "LOCAL_RANK" in os.environ


@contextmanager
def joined() -> Iterator[Ranks]:
    """Be one of several processes within; alone, if this one was started alone."""
    if not is_one_of_several():
        yield _here
        return
    place = {name: int(os.environ.get(name, "1")) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE")}
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(place["LOCAL_RANK"] % torch.cuda.device_count())
    rank, size, store, again = _meet()
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    ranks = Ranks(
        rank=rank,
        size=size,
        local=place["LOCAL_RANK"],
        local_size=place["LOCAL_WORLD_SIZE"],
        group=dist.new_group(backend="gloo", timeout=_PATIENCE),
        store=store,
    )
    ranks = replace(ranks, again=bool(ranks.greatest(int(again))))
    try:
        with _as(ranks):
            yield ranks
    finally:
        dist.destroy_process_group()


@contextmanager
def apart() -> Iterator[None]:
    """Work alone within, at one's own place on the machine."""
    with _as(Ranks(local=_here.local, local_size=_here.local_size)):
        yield


def lost(error: RuntimeError) -> bool:
    """Whether torch says that another rank could not be reached."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def job() -> str:
    """What names the torchrun that started this process, the same after a restart; "": none."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return f"{socket.gethostname()}:{os.getppid()}" if name == "none" else name


def restarted() -> bool:
    """Whether torchrun started this process in place of one that ended."""
    return _here.again or _counted()


def as_tensor(content: bytes) -> Tensor:  # (len,) uint8
    """Bytes as a tensor of their own."""
    return torch.from_numpy(np.frombuffer(content, np.uint8).copy())


def as_bytes(
    tensor: Tensor,  # (N,) uint8
) -> bytes:
    """The inverse of `as_tensor`."""
    return bytes(tensor.numpy())


def _counted() -> bool:
    """What the torchrun of this machine says: only of ends that it saw itself."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def _meet() -> tuple[int, int, Any, bool]:
    """Rank, how many, what they all can ask, and whether this one knows of an attempt before."""
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if file := os.environ.get(FILE):
        return rank, size, dist.FileStore(file), False
    if missing := [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise ValueError(
            f"WORLD_SIZE={size} is set, {' and '.join(missing)} not: start it with torchrun "
            "--nproc-per-node N -m posezoo, or unset WORLD_SIZE"
        )
    store, rank, size = next(dist.rendezvous("env://"))
    again = _counted() or (rank == 0 and store.add("posezoo attempts", 1) > 1)
    return rank, size, dist.PrefixStore(_attempt(store, rank, size), store), again


def _attempt(store: Any, rank: int, size: int) -> str:
    """A word that only the processes of this attempt share.

    torchrun's store outlives a restart, and holds addresses at which nobody listens any more. So
    each process asks by a word of its own, and the first answers with the one for all.
    """
    own = uuid.uuid4().hex
    if rank:
        store.set(f"posezoo {rank}", own)
        word: str = store.get(f"posezoo {own}").decode()
        store.set(f"posezoo {word} {rank}", "heard")
        return word
    others = range(1, size)
    while not store.check([f"posezoo {own} {other}" for other in others]):
        for other in others:
            if store.check([f"posezoo {other}"]):
                store.set(f"posezoo {store.get(f'posezoo {other}').decode()}", own)
        time.sleep(_POLL_S)
    return own


def _parts(content: bytes) -> list[dict[str, Tensor]]:
    parts: list[dict[str, Tensor]] = [{} for _ in range(int.from_bytes(content[:8], "little"))]
    named = load(content[8:])
    for key in sorted(named, key=lambda key: int(key.split(".")[1])):
        number, _, name = key.split(".", 2)
        parts[int(number)][name] = named[key]
    return parts


@contextmanager
def _as(ranks: Ranks) -> Iterator[None]:
    global _here  # noqa: PLW0603 - the process's own place, which its threads share
    before, _here = _here, ranks
    try:
        yield
    finally:
        _here = before


_here = Ranks()
