"""Commands killed at every file operation: `python -m benchmarks.kill_everywhere`.

A tiny run of each command of `kill_commands` is killed before each operation and half way through
it (`kill_shim`): half of what is written is on disk, a file is open and empty, a rename is done.
Then the same command is started again. It must work, or say in one line what to type, and that is
typed; then everything that it leaves must be the same to the last bit as if nobody had killed it,
with nothing beside it. A file of results must be whole at any time.

`--loss` loses power with the kill. "content": names stay, and what was not flushed is gone.
"names": also names of a folder that was not flushed since; only the command's own folder is taken
to be there. One thread.

`--disk` kills nothing: from an operation on the disk is "full" (ENOSPC, for all that takes room,
before and half way through a write) or "read-only" (EROFS, for all). The command must end in one
line that names a file of its folder, leave on a full disk nothing half written, and then go on to
the same bits.

`--json FILE` keeps the table as numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch

from benchmarks.kill_commands import COMMANDS, Command, call, clean, contents
from benchmarks.kill_shim import DISKS, IN_PARTS, LOSSES, Killer

_USER = 2  # the exit code of what is not the program's fault


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where a command is cut."""

    at: int
    kind: str  # of the operation
    half: bool
    loss: str  # one of LOSSES, or of DISKS


class Scene:
    """A command, what it leaves when nobody kills it, and where it can be killed."""

    def __init__(self, command: Command, base: Path) -> None:
        self.command, self.base = command, base
        self.source, self.out = base / "source", base / "cut" / "out"
        self.source.mkdir(parents=True)
        command.prepare(self.source)
        self._begin()
        listing = base / "operations"

        def work() -> int:
            killer = Killer(self.out)
            killer.install()
            code = self._call()
            killer.real_open(listing, "w").write("\n".join(killer.seen))
            return code

        self._warm()
        self._begin()
        code, said = in_child(work)
        if code:
            raise ValueError(f"the command itself failed: {said}")
        self.kinds = listing.read_text().split()
        self.expected = contents(self.out)

    def points(self, losses: Sequence[str]) -> Iterator[Point]:
        """All of them."""
        for loss in losses:
            for at, kind in [*enumerate(self.kinds)][-self.command.last :]:
                for half in (False, True):
                    fails = loss in DISKS and kind in DISKS[loss][1]
                    if loss in LOSSES or (fails and (not half or kind in IN_PARTS)):
                        yield Point(at=at, kind=kind, half=half, loss=loss)

    def check(self, point: Point) -> str:
        """Cut there, and start again; what is wrong then, "" for nothing."""
        self._begin()
        disk = point.loss if point.loss in DISKS else ""
        loss = "none" if disk else point.loss

        def work() -> int:
            Killer(self.out, at=point.at, half=point.half, loss=loss, disk=disk).install()
            return self._call()

        code, said = in_child(work)
        if disk and (code != _USER or "\n" in said or not said.startswith(f"error: {self.out}")):
            return f"exit code {code}, {said.count(chr(10)) + 1} lines: {last_line(said)}"
        if not disk and code != -signal.SIGKILL:
            return f"was not killed, exit code {code}: {last_line(said)}"
        return self._half_written(disk) or self._gone_on_with()

    def _half_written(self, disk: str) -> str:
        """What is not whole, and what a disk that was full has left beside."""
        found = contents(self.out)
        for name in found.keys() & self.expected.keys():
            is_final = any(fnmatch(name, each) for each in self.command.finals)
            if is_final and found[name] != self.expected[name]:
                return f"{name} is not whole"
        stray = [name for name in found if disk == "full" and self._is_beside(name)]
        return f"left behind: {', '.join(stray)}" if stray else ""

    def _gone_on_with(self) -> str:
        """The same command again, and what it says to type; what is then not as expected."""
        code, said = in_child(self._call)
        if code:
            answers = self.command.answers
            answer = next((answers[each] for each in answers if each in said), ("",))
            if "" in (answer or ()) or "\n" in said:
                return f"started again: {last_line(said)}"
            if answer:
                code, said = in_child(lambda: self._call(*answer))
                if code:
                    return f"as it said: {last_line(said)}"
        return differences(contents(self.out), self.expected)

    def _begin(self) -> None:
        clean(self.out.parent)
        self.out.parent.mkdir()
        if self.command.in_folder:
            self.out.mkdir()
        self.command.before(self.source, self.out)

    def _warm(self) -> None:
        """Load what every fork would load anew otherwise."""
        if code := self._call():
            raise ValueError(f"the command itself failed: exit code {code}")

    def _call(self, *more: str) -> int:
        words = [*self.command.words(self.source, self.out), *more]
        return call(words, self.out, draw=self.command.draw)

    def _is_beside(self, name: str) -> bool:
        """Of a file, or of a checkpoint whose old one is there; else both are needed."""
        path = self.out / name
        is_file = path.name[0] == "." and ".new" in path.name
        return is_file or (path.suffix == ".new" and path.with_suffix("").exists())


def differences(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """In what the one is not the other; "" for nothing."""
    wrong = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    wrong += [f"{name} is left" for name in sorted(found.keys() - expected.keys())]
    both = sorted(found.keys() & expected.keys())
    wrong += [f"{name} is another" for name in both if found[name] != expected[name]]
    return ", ".join(wrong)


def in_child(
    work: Callable[[], int], meanwhile: Callable[[int], None] = lambda pid: None
) -> tuple[int, str]:
    """Run in a fork of this process; how it ended, and what it said on stderr."""
    with tempfile.TemporaryFile("w+") as words:
        pid = os.fork()
        if pid == 0:
            os.dup2(words.fileno(), 2)
            code = 1
            try:
                code = work()
            except BaseException:  # it ends here either way; the parent is told all of it
                os.write(2, traceback.format_exc().encode())
            sys.stderr.flush()
            os._exit(code)
        meanwhile(pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        words.seek(0)
        return status, words.read().strip()


def last_line(said: str) -> str:
    """What a traceback comes to."""
    return said.rpartition("\n")[2]


def sweep(name: str, *, every: int, losses: Sequence[str]) -> Iterator[tuple[Point, str]]:
    """A command's points, and what went wrong; `every` takes one point of so many."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(COMMANDS[name], Path(folder))
        points = [*scene.points(losses)]
        for point in points[min(every, len(points)) // 2 :: every]:
            yield point, scene.check(point)


def main() -> None:
    """Print the table; exit 1 if one kill was not survived."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="one point of so many")
    parser.add_argument("--loss", choices=LOSSES, action="append", help="default: each of them")
    parser.add_argument("--disk", choices=DISKS, help="let it fail so instead of killing")
    parser.add_argument("--only", choices=COMMANDS, action="append", help="default: all commands")
    parser.add_argument("--json", type=Path, help="write the table there too")
    options = parser.parse_args()
    torch.set_num_threads(1)  # a fork has no other threads
    losses = (options.disk,) if options.disk else tuple(options.loss or LOSSES)
    rows: list[dict[str, Any]] = []
    print("| command | power lost or disk | points | not survived |\n|---|---|--:|--:|")
    for name in options.only or COMMANDS:
        counts, lost = Counter[str](), Counter[str]()
        for point, flaw in sweep(name, every=options.every, losses=losses):
            counts[point.loss] += 1
            if flaw:
                place = f"{'half' if point.half else 'before'} {point.at} {point.kind}"
                lost[point.loss] += 1
                print(f"{name}, {point.loss}: {place}: {flaw}", file=sys.stderr, flush=True)
        for loss in losses:
            row = {"command": name, "loss": loss, "points": counts[loss], "lost": lost[loss]}
            print("| " + " | ".join(map(str, row.values())) + " |", flush=True)
            rows.append(row)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    what = f"times a {options.disk} disk" if options.disk else "kills"
    points, faults = (sum(row[key] for row in rows) for key in ("points", "lost"))
    print(f"{points} {what}, {faults} not survived")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
