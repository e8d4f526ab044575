"""Commands that are stopped at a random moment: `python -m benchmarks.kill_randomly`.

Killed: trainings of lifters and from pictures, with 0 and 2 loader workers, averaged weights, two
stages and augmentation; half of the kills are in the write of a checkpoint. Each is gone on with by
`--resume` at once, killed again up to twice more, and must end in the same bits as one that nobody
killed.

`--signals`: SIGTERM or SIGINT, to the process or to its whole group, once or twice, while the
program starts, works, saves and evaluates, for train, sweep (in one process and in two), predict
and data convert. Each must end with 143 or 130 and one line, or with 0 where it was done already;
then the same command, or what the line says, goes on.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from benchmarks.kill_commands import COMMANDS, call, clean, contents
from benchmarks.kill_everywhere import differences, in_child, last_line

_SMALL = ["--device", "cpu", "--batch-size", "4", "--set", "eval_samples=4", "--set", "log_every=1"]
_SMALL += ["--set", "normalisation_samples=8", "--set", "data.items=16", "--steps", "12"]
_PICTURES = "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1+martinez:width=8"
_STAGES = ["--strategy", "separate:lifter_input=predicted"]
TRAININGS = {
    "lifter": ["martinez:width=8", "--set", "eval_every=3"],
    "lifter, EMA, augmented": [
        *("martinez:width=8,dropout=0.2", "--set", "eval_every=2", "--set", "ema=0.9"),
        *("--set", "augment=mirror+viewpoint"),
    ],
    "pictures, two stages": [
        *(_PICTURES, "--image-size", "32", "--set", "eval_every=3", *_STAGES),
    ],
    "pictures, two stages, EMA, augmented": [
        *(_PICTURES, "--image-size", "32", "--set", "eval_every=3", "--set", "ema=0.9", *_STAGES),
        *("--set", "augment=mirror+noise"),
    ],
}
_MOST_KILLS = 3  # of a training
_STOPPED = ("train", "train with 2 loader workers", "sweep", "predict", "data convert, a store")
_PLAIN_S = 60.0  # that a stopped command may take to end


class Training:
    """One of TRAININGS, and what it leaves when nobody kills it."""

    def __init__(self, base: Path, name: str, workers: int) -> None:
        self.words = ["train", *TRAININGS[name], *_SMALL, "--workers", str(workers)]
        self.out, whole = base / "cut" / "run", base / "whole"
        begin = time.monotonic()
        code, said = in_child(lambda: call([*self.words, "--out", str(whole)], whole))
        if code:
            raise ValueError(f"{name} itself failed: {said}")
        self.seconds = time.monotonic() - begin
        self.expected = contents(whole)

    def cut(self, draw: random.Random) -> tuple[int, int, str]:
        """How often it was killed, how often of that in a checkpoint's write, and what is wrong."""
        clean(self.out.parent)
        self.out.parent.mkdir(parents=True)
        kills = writes = 0
        for _ in range(draw.randint(1, _MOST_KILLS)):
            in_write = draw.random() < 0.5
            code, said = self._killed(draw, in_write)
            if code == 0:
                break
            if code != -signal.SIGKILL:
                return kills, writes, f"gone on with: {last_line(said)}"
            kills += 1
            writes += in_write
        code, said = in_child(self._go_on)
        if code and "already" not in said:
            return kills, writes, f"gone on with: {last_line(said)}"
        return kills, writes, differences(contents(self.out), self.expected)

    def _go_on(self) -> int:
        resume = ["--resume"] if (self.out / "run.toml").exists() else []
        return call([*self.words, "--out", str(self.out), *resume], self.out)

    def _killed(self, draw: random.Random, in_write: bool) -> tuple[int, str]:
        """Go on with it until it is killed."""
        moment, later = draw.uniform(0, self.seconds), draw.uniform(0, 0.004)

        def kill(pid: int) -> None:
            end = time.monotonic() + moment
            while time.monotonic() < end and not _ended(pid):
                time.sleep(0.002)
            while in_write and not _ended(pid):
                if any((self.out / f"{each}.new").exists() for each in ("last", "best")):
                    time.sleep(later)
                    break
                time.sleep(0.0005)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        return in_child(self._go_on, kill)


def _ended(pid: int) -> bool:
    """Whether a child has ended; it is still to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kills(count: int, draw: random.Random) -> Iterator[tuple[str, int, int, str]]:
    """So many trainings: which, kills, kills in a write, and what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = [(name, workers) for name in TRAININGS for workers in (0, 2)]
        trainings: dict[tuple[str, int], Training] = {}
        for number in range(count):
            name, workers = kind = kinds[number % len(kinds)]
            if kind not in trainings:
                trainings[kind] = Training(Path(folder) / str(number), name, workers)
            yield f"{name}, {workers} workers", *trainings[kind].cut(draw)


def signals(count: int, draw: random.Random) -> Iterator[tuple[str, int, int, str]]:
    """So many stopped commands: which, 1, signals beyond the first, and what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            name = _STOPPED[number % len(_STOPPED)]
            base = Path(folder) / name
            command, out, source = COMMANDS[name], base / "cut" / "out", base / "source"
            if not source.exists():
                source.mkdir(parents=True)
                command.prepare(source)
            clean(out.parent)
            out.parent.mkdir()
            if command.in_folder:
                out.mkdir()
            words = command.words(source, out)
            if name == "sweep" and draw.random() < 0.5:
                words += ["--jobs", "2"]
            signum = draw.choice([signal.SIGTERM, signal.SIGINT])
            group, twice = draw.random() < 0.5, draw.random() < 0.3
            whom = f"{signum.name} to the {'group' if group else 'process'}{', twice' * twice}"
            flaw = _stopped(words, draw, signum, group=group, twice=twice)
            flaw = flaw or _again(words, out, [*filter(None, command.answers.values())])
            yield f"{name}, {whom}", 1, int(twice), flaw


def _stopped(
    words: list[str],
    draw: random.Random,
    signum: signal.Signals,
    *,
    group: bool,
    twice: bool,
) -> str:
    """Stop a command at a random moment of its life; what is wrong then, "" for nothing."""
    moment = draw.choice([draw.uniform(0, 1), draw.uniform(0, 12)])
    process = _start(words)
    send = os.killpg if group else os.kill
    while process.poll() is None and not _hears(process.pid):  # Python itself starts
        time.sleep(0.001)
    for wait in (moment, draw.choice([0.01, 2.5])) if twice else (moment,):
        time.sleep(wait)
        if process.poll() is None:
            send(process.pid, signum)
    try:
        said = process.communicate(timeout=_PLAIN_S)[1].strip()
    except subprocess.TimeoutExpired:
        process.kill()
        return f"had not ended {_PLAIN_S:.0f} s after {moment:.2f} s"
    code = process.returncode
    where = f"at {moment:.2f} s: "
    if code == 0:
        return "" if not said else f"{where}exit code 0, and said: {last_line(said)}"
    if code != 128 + signum or "\n" in said or not said.startswith(f"stopped by {signum.name}"):
        lines = said.count("\n") + 1
        return f"{where}exit code {code}, {lines} lines: {last_line(said)}"
    return ""


def _hears(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def _again(words: list[str], out: Path, answers: list[list[str]]) -> str:
    """The same command, and what it says to type."""
    said = ""
    for more in ([], *answers):
        code, said = in_child(lambda more=more: call([*words, *more], out))
        if code == 0 or "exists already" in said:
            return ""
    return f"started again: {last_line(said)}"


def _start(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "posezoo", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def main() -> None:
    """Print the table; exit 1 if one was not gone on with."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="trainings, or stopped commands")
    parser.add_argument("--seed", type=int, default=0, help="of when and how")
    parser.add_argument("--signals", action="store_true", help="stop commands instead of killing")
    parser.add_argument("--minutes", type=float, default=600, help="no more are begun after that")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    torch.set_num_threads(1)  # a fork has no other threads
    counts: Counter[str] = Counter()
    total, flaws = [0, 0], []
    stop = signals if options.signals else kills
    for name, first, second, flaw in stop(options.count, random.Random(options.seed)):
        counts[name] += 1
        total = [total[0] + first, total[1] + second]
        if flaw:
            flaws.append(name)
            print(f"{name}: {flaw}", file=sys.stderr, flush=True)
        if time.monotonic() > end:
            break
    print("| what | times | not gone on with |\n|---|--:|--:|")
    for name, count in sorted(counts.items()):
        print(f"| {name} | {count} | {flaws.count(name)} |")
    what = (
        f"{total[0]} stopped commands, {total[1]} of them asked twice"
        if options.signals
        else f"{total[0]} kills, {total[1]} of them in a checkpoint's write"
    )
    print(f"{what}, {len(flaws)} not gone on with")
    sys.exit(bool(flaws))


if __name__ == "__main__":
    main()
