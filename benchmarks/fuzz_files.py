"""Changed files against everything that reads one: `python -m benchmarks.fuzz_files`.

    python -m benchmarks.fuzz_files --inputs 1000000 --json out.json
    python -m benchmarks.fuzz_files --only store --seed 41 --inputs 1 --keep folder

A small whole file of each format (`fuzz_seeds`) is changed (`fuzz_mutate`) and read, in a child
process with a limit of memory. Two outcomes are right: it is read, or it is refused as the command
line would show it, in one printable line that names the file, with nothing left behind. Anything
else is a bug: another exception, a crash, over 20 s, more memory than a file of that size may take.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from benchmarks.fuzz_target import Target

SLOW_S = 20.0  # of the processor; a rehearsal that hangs is ended after 6
_MORE_S = 5  # after which the process is ended
MEMORY_BYTES = 3 << 30  # beside what the process has when it starts
_PATIENCE_S = 12 * SLOW_S  # the start of a child and the making of seeds among it
_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk takes most of the time
# A rehearsal forks the process, which copies the table of its pages: large ones are few.
_LARGE_PAGES = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
LONGEST = 1500  # characters of a refusal
_USER_ERRORS = (ValueError, OSError, ImportError)  # as the command line takes them
# What writes a store, or starts a child, for each input.
SLOW = {
    *("coco", "mpii", "videopose3d", "martinez", "h36m-fetch", "mmpose", "motionbert", "h36m-cdf"),
    *("3dhp-train", "3dhp-test", "mocap", "store", "own.json", "own.csv", "own.npz", "checkpoint"),
    *("weights-import", "bvh", "asf-amc", "3dpw", "h3wb", "mpii.mat", "onnx/lifter"),
    *(f"detections/{name}" for name in ("videopose3d", "motionbert", "evoskeleton", "3dpw")),
    *("detections/hourglass", "detections/keypoints", "onnx/pictures", "verify-case", "lift"),
    *("store-pictures", "cameras.pkl", "body-model", "pushed", "plugin", "prediction", "video"),
}
_QUICKER = 20  # so many inputs of a quick format for one of a slow one
_SAMPLE = (200, 8)  # inputs of a quick format and of a slow one
READ, REFUSED = "read", "refused in one line"


@dataclass(kw_only=True)
class Tally:
    """What came of the inputs of one target."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str]] = field(default_factory=list)  # seed, and what was wrong
    seconds: float = 0.0  # of the processor

    def add(self, seed: int, said: str, seconds: float) -> None:
        """Count one."""
        self.seconds += seconds
        right = said in (READ, REFUSED)
        self.counts[said if right else "bug"] += 1
        if not right:
            self.faults.append((seed, said))


def outcome(name: str, target: Target, seed: int, seeds: Path, work: Path) -> str:
    """`READ`, `REFUSED`, or what went wrong with one input.

    `seeds` holds the whole files; they themselves are seed 0, and have to be read.
    """
    from benchmarks.fuzz_mutate import changed  # noqa: PLC0415 - in the child

    rng = random.Random(f"{name} {seed}")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(seeds, work / "in")
    (work / "out").mkdir()
    if seed:
        path = work / "in" / rng.choice(target.files)
        path.write_bytes(changed(path, path.read_bytes(), rng))
    found = verdict(lambda: target.read(work / "in", work / "out"), work)
    return found if seed or found == READ else f"the whole file: {found}"


def verdict(read: Callable[[], object], work: Path) -> str:
    """What comes of reading: `READ`, `REFUSED`, or what went wrong. `work` holds "out"."""
    start = _processor_s()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.filterwarnings("ignore", message=".*Mean of empty slice|.*All-NaN")
            read()
        found = READ
    except _USER_ERRORS as error:
        found = _judge(error, work)
    except Exception as error:  # the bug that is looked for; its place tells it from others
        found = _place(error)
    if (seconds := _processor_s() - start) > SLOW_S:
        found = f"took {seconds:.0f} s, then: {found}"
    if found != READ and (left := [each.name for each in (work / "out").iterdir()]):
        found = f"{found}; left behind {left}"
    return found


def _processor_s() -> float:
    """Seconds that this process and its children have computed: other jobs do not count."""
    return sum(os.times()[:4])


def _judge(error: Exception, work: Path) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return REFUSED
    if not text.isprintable():
        return f"not printable: {_place(error)}"
    if len(text) > LONGEST:
        return f"{len(text)} characters: {_place(error)}"
    return (
        REFUSED
        if str(work) in text or os.environ.get("POSEZOO_CACHE", str(work)) in text
        else f"names no file: {_place(error)}"
    )


def _place(error: BaseException) -> str:
    """Where in posezoo it came from, so that one bug counts once."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/posezoo/" in frame.filename] or frames
    where = f"{ours[-1].filename.rpartition('/posezoo/')[2]}:{ours[-1].lineno}"
    return f"{type(error).__name__} at {where}: {ascii(str(error))[:160]}"


def _child(jobs: list[tuple[str, range]], channel: Connection) -> None:
    """Say each input before it is tried, so that a crash has a name."""
    import torch  # noqa: PLC0415 - in the child

    from benchmarks.fuzz_seeds import targets  # noqa: PLC0415

    torch.set_num_threads(1)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)  # LAPACK prints
    os.dup2(silent, 2)
    known = targets()
    for name, inputs in jobs:
        with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_IN_MEMORY) as folder:
            os.environ["POSEZOO_CACHE"] = f"{folder}/cache"
            seeds, work = Path(folder) / "seeds", Path(folder) / "work"
            seeds.mkdir()
            known[name].make(seeds)
            for seed in inputs:
                channel.send(seed)
                used = int(time.process_time() + SLOW_S + _MORE_S)
                resource.setrlimit(resource.RLIMIT_CPU, (used, resource.RLIM_INFINITY))
                start = _processor_s()
                found = outcome(name, known[name], seed, seeds, work)
                channel.send((found, _processor_s() - start))


def run(jobs: list[tuple[str, range]], tell: Callable[[str, Tally], None]) -> dict[str, Tally]:
    """All inputs of all jobs, in children that are replaced when they die; `tell` of each job."""
    context = multiprocessing.get_context("spawn")
    tallies, left = {name: Tally() for name, _ in jobs}, list(jobs)
    while left:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(left, theirs))
        with patch.dict(os.environ, _LARGE_PAGES):
            child.start()
        theirs.close()
        seed = left[0][1].start
        while left:
            try:
                if not ours.poll(_PATIENCE_S):
                    child.kill()
                    raise EOFError
                said = ours.recv()
            except EOFError:
                child.join()
                said = f"died with exit code {child.exitcode}", 0.0
            if isinstance(said, int):
                seed = said
                continue
            name, inputs = left[0]
            tallies[name].add(seed, *said)
            left[0] = (name, range(seed + 1, inputs.stop))
            if not left[0][1]:
                tell(name, tallies[name])
                del left[0]
                seed = left[0][1].start if left else 0  # it may die while it makes the next one's
            if child.exitcode is not None and said[0].startswith("died"):
                break
        child.join()
    return tallies


def sample(names: Iterable[str]) -> list[tuple[str, range]]:
    """Half a minute's worth."""
    return [(name, range(_SAMPLE[name in SLOW])) for name in names]


def main() -> None:
    """Print the table of outcomes; exit code 1 if there is any bug."""
    from benchmarks.fuzz_seeds import targets  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--inputs", type=int, default=40_000, help="of all formats together")
    parser.add_argument("--sample", action="store_true", help="what the tests take")
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--only", action="append", metavar="FORMAT", choices=[*targets()])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the last input there")
    chosen = parser.parse_args()
    names = chosen.only or [*targets()]
    if chosen.keep:
        _keep(names[0], chosen.first, chosen.keep)
        return
    shares = {name: 1 if name in SLOW else _QUICKER for name in names}
    each = chosen.inputs / sum(shares.values())
    counts = {name: max(1, round(each * share)) for name, share in shares.items()}
    print(f"| format | {READ} | {REFUSED} | bugs | ms each |\n|---|---|---|---|---|")
    first = chosen.first
    jobs = [(name, range(first, first + count)) for name, count in counts.items()]
    tallies = run(sample(names) if chosen.sample else jobs, _print)
    whole = Tally(counts=sum((tally.counts for tally in tallies.values()), Counter()))
    whole.seconds = sum(tally.seconds for tally in tallies.values())
    _print("all", whole)
    if chosen.json:
        table = {
            name: {"counts": dict(tally.counts), "faults": tally.faults, "seconds": tally.seconds}
            for name, tally in tallies.items()
        }
        chosen.json.write_text(
            json.dumps({"total": dict(whole.counts), "formats": table}, indent=1)
        )
    sys.exit(1 if whole.counts["bug"] else 0)


def _print(name: str, tally: Tally) -> None:
    counts = tally.counts
    print(
        f"| {name} | {counts[READ]} | {counts[REFUSED]} | {counts['bug']} | "
        f"{1000 * tally.seconds / max(1, counts.total()):.1f} |",
        flush=True,
    )
    for what, seeds in _by_kind(tally).items():
        print(f"    {len(seeds)} x seed {seeds[0]}: {what}", flush=True)


def _by_kind(tally: Tally) -> dict[str, list[int]]:
    kinds: dict[str, list[int]] = {}
    for seed, what in tally.faults:
        key = what.partition(": ")[0] if what[:6] not in ("names ", "not pr") else what[:90]
        same = next((kind for kind in kinds if kind.startswith(key)), what)
        kinds.setdefault(same, []).append(seed)
    return kinds


def _keep(name: str, seed: int, folder: Path) -> None:
    """One input as it was read, with what came of it."""
    from benchmarks.fuzz_seeds import targets  # noqa: PLC0415

    os.environ["POSEZOO_CACHE"] = str(folder / "cache")
    seeds = folder / "seeds"
    seeds.mkdir(parents=True)
    target = targets()[name]
    target.make(seeds)
    print(outcome(name, target, seed, seeds, folder / "work"))


if __name__ == "__main__":
    main()
