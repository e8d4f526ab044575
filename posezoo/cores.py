"""The processor's cores: how many this process may use, and how its threads share them.

OpenMP reads its variables once, while torch is loaded: whoever chooses how threads wait has to come
before that. The command line and the test run do; a script of one's own keeps torch's defaults.
"""

from __future__ import annotations

import os
import sys

# Any of these set by the user: it is theirs to choose (OpenMP's own, GCC's, LLVM's).
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_MOST_WORKERS = 8
# Likewise of glibc's allocator.
_ALLOCATOR = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
_LARGEST_KEPT = 2**30  # bytes


def cores() -> int:
    """The cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wait_quietly() -> None:
    """Let threads that wait sleep, not spin: those of others, and loader workers, need the core."""
    if "torch" not in sys.modules and not any(name in os.environ for name in _WAITING):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def waiting() -> str:
    """How threads wait, in words: what was chosen, or that nothing was."""
    chosen = [f"{name}={os.environ[name]}" for name in _WAITING if name in os.environ]
    return ", ".join(chosen) or "as OpenMP does by itself"


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed for the next tensor of that size: True if it will.

    By itself it hands each large block back to the system, which clears the pages of the next one:
    every step of a training pays that again for its gradients. What the user has set stays.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _ALLOCATOR):
        return False
    import ctypes  # noqa: PLC0415 - `posezoo list` has no use for it

    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):  # musl has none
        return False
    options = (_TRIM_THRESHOLD, _MMAP_THRESHOLD)
    return all(library.mallopt(option, _LARGEST_KEPT) for option in options)


def loader_workers(*, cpu: bool) -> int:
    """Loader workers that make pictures: half as many as cores where torch computes there too.

    Torch keeps a thread on each core beside them: workers wait most of the time, and threads that
    wait sleep. On two cores one thread and one worker were a quarter slower (docs/training.md).
    """
    return min(cores() // 2 if cpu else cores() - 1, _MOST_WORKERS)
