"""Clocks and counters: CPU time of one thread, or CUDA events; bytes; launches; memory."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from posezoo.cores import keep_freed_memory
from posezoo.ops.dispatch import OPERATORS
from posezoo.training.run_folder import processor_name


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of repetitions."""

    best: float
    p20: float
    p50: float
    p80: float


def interleaved(
    ways: dict[str, Callable[[], Any]],
    device: torch.device,
    *,
    seconds: float,
    rounds: int = 5,  # at least
    burst: int = 4,
) -> dict[str, Times]:
    """Time all ways turn by turn for about `seconds` each, after one warm-up of each.

    Turns are of a few runs: the best is with the caches as this formulation leaves them, p80 nearer
    to what the others leave. On the CPU it is CPU time of this process, so that neighbours count
    less, and freed memory is kept. On a GPU it is events around a run, with the L2 emptied before.
    """
    clock = _cuda_ms if device.type == "cuda" else _cpu_ms
    keep_freed_memory()
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for function in ways.values():
        function()
        clock(function)
    start = time.perf_counter()
    done = 0
    while done < rounds or (done < 100 and time.perf_counter() - start < seconds * len(ways)):
        for name, function in ways.items():
            samples[name] += [clock(function) for _ in range(burst)]
        done += 1
    return {name: _times(values) for name, values in samples.items()}


def _times(values: list[float]) -> Times:
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Times(ordered[0], at(0.2), at(0.5), at(0.8))


def _cpu_ms(function: Callable[[], Any]) -> float:
    start = time.process_time()
    function()
    return (time.process_time() - start) * 1e3


def _cuda_ms(function: Callable[[], Any]) -> float:
    torch.empty(64 * 2**20, dtype=torch.float32, device="cuda").zero_()  # 256 MB: out of any L2
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    function()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def copy_gbps(device: torch.device, numel: int = 32 * 2**20) -> float:
    """Bandwidth of a copy, read and write counted, in this run on this device."""
    source = torch.zeros(numel if device.type == "cuda" else numel // 4, device=device)
    target = torch.empty_like(source)
    best = interleaved({"copy": lambda: target.copy_(source)}, device, seconds=0.3)["copy"].best
    return 2 * source.numel() * 4 / best / 1e6


class Counter(TorchDispatchMode):
    """Counts what eager execution runs: operations that touch memory, and the bytes they touch."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels, self.bytes = 0, 0
        self.most = 0  # bytes of tensors that were alive at once, of those made meanwhile
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Open posezoo's operators on their torch path; count the others from outside."""
        kwargs = kwargs or {}
        if func.namespace == "posezoo" and not any(
            t.is_cuda for t in args if isinstance(t, Tensor)
        ):
            with self:
                return OPERATORS[func.name().removeprefix("posezoo::")].function(*args, **kwargs)
        result = func(*args, **kwargs)
        if not func.is_view and "empty" not in func.name() and "detach" not in func.name():
            self.kernels += 1
            inputs = _tensors((args, tuple(kwargs.values())))
            for tensor in inputs + _tensors(result):
                self.bytes += tensor.untyped_storage().nbytes() and (
                    min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
                )
        if not func.is_view:
            self._note(result)
        return result

    def _note(self, result: Any) -> None:
        self._alive = {k: each for k, each in self._alive.items() if not each[0].expired()}
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.most = max(self.most, sum(size for _, size in self._alive.values()))


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def counted(function: Callable[[], Any]) -> tuple[int, int]:
    """Operations launched and bytes touched by one run."""
    with Counter() as counter:
        function()
    return counter.kernels, counter.bytes


def peak_tensors_mb(function: Callable[[], Any], device: torch.device) -> float:
    """The most that tensors take at once in one run, beside what was there before.

    On a GPU what its allocator says; on a CPU the tensors that operations give, without what an
    operation takes for itself.
    """
    if device.type == "cuda":
        return peak_mb(function, device) or 0.0
    with Counter() as counter:
        function()
    return counter.most / 2**20


def peak_mb(function: Callable[[], Any], device: torch.device) -> float | None:
    """Peak of allocated memory above what was there before, on a GPU."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    function()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def circumstances(device: torch.device) -> dict[str, Any]:
    """Hardware, versions and commit: without them a number is not shown."""
    gpu = torch.cuda.get_device_name() if device.type == "cuda" else None
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "device": gpu or processor_name(),
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": _version("triton"),
        "numpy": _version("numpy"),
        "opencv": _version("opencv-python-headless"),
        "kornia": _version("kornia"),
        "dsntnn": _version("dsntnn"),
        "system": platform.platform(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    folder = Path(__file__).parent
    run = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(run, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git
        return None
    return done.stdout.strip() or None
