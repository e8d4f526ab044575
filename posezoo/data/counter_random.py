"""Random numbers as a function of (seed, index, stream): no state, no order, no process.

A dataset draws with these so that item i is the same item in any worker, in any order, after any
restart. `uniform` is counter-based (the mixer of splitmix64, Steele et al. 2014, applied to the
index and then to the column) and vectorised over indices; its numbers are the same on every
platform. A stream is a name ("camera", "crop"), so that two uses of one index do not share numbers.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15


def uniform(
    seed: int,
    index: NDArray[np.int64],  # (N,)
    count: int,
    stream: str,
) -> NDArray[np.float64]:  # (N, count) in [0, 1)
    """Independent numbers, `count` for each index."""
    key = np.frombuffer(_digest(seed, stream), "<u8", count=1).astype(np.uint64)
    rows = _mix(np.asarray(index, np.int64).astype(np.uint64) * np.uint64(_GOLDEN) + key)
    columns = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    bits = _mix(rows[:, None] + columns)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def generator(seed: int, index: int, stream: str) -> np.random.Generator:
    """A generator of its own for one index, where the count of numbers is not known before."""
    return np.random.Generator(
        np.random.PCG64(int.from_bytes(_digest(seed, f"{stream}/{int(index)}")))
    )


def _digest(seed: int, stream: str) -> bytes:
    return blake2b(f"{int(seed)}/{stream}".encode(), digest_size=16).digest()


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
