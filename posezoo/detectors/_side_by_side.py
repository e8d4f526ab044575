"""Small networks on a CPU: a core for each item, not all cores for each layer.

Threads that share a layer wait for each other after it, which takes longer than what they save on
networks as small as a phone's. An item is computed by one thread, so that its bits are the same
however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def side_by_side(function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """The function of each item, in their order, as many at a time as torch has threads here."""
    if (threads := torch.get_num_threads()) == 1:
        return [function(item) for item in items]

    def alone(item: Item) -> Answer:
        with torch.no_grad():  # which is each thread's own
            return function(item)

    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(alone, items))
