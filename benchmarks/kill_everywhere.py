"""A tiny training killed at every file operation: `python -m benchmarks.kill_everywhere`.

The program is killed before each operation and half way through it: half of what is written is on
disk, a file is open and empty, a rename is done. Only what changes files is counted: open for
writing, write, fsync, mkdir, rename, unlink, rmdir and chmod, seen by stand-ins for Python's own
functions; the writer of safetensors, which is not Python, counts as one operation. Then the run is
resumed, or started again where it had not begun, and everything that it leaves must be the same to
the last bit as of a run that nobody killed.

`--loss` loses power with the kill. "content": names stay, and what was not flushed is gone.
"names": also names of a folder that was not flushed since; only the run's own folder is taken to
be there. One thread, no loader workers.

`--disk` kills nothing: from an operation on the disk is "full" (ENOSPC, for all that takes room,
before and half way through a write) or "read-only" (EROFS, for all). The run must end in one line
that names a file of its folder, leave on a full disk no `*.new` beside what it replaces, and then
go on to the same bits.
"""

from __future__ import annotations

import argparse
import builtins
import errno
import io
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from posezoo.registry import parse_node, parse_pipeline
from posezoo.training import checkpoint, runs

_TAKES_ROOM = {"open", "write", "fsync", "mkdir", "rename", "replace", "safetensors"}
_IN_PARTS = {"write", "safetensors"}  # of these half may be done
DISKS = {
    "full": (errno.ENOSPC, _TAKES_ROOM),
    "read-only": (errno.EROFS, _TAKES_ROOM | {"unlink", "remove", "rmdir", "chmod"}),
}
LOSSES = ("none", "content", "names")
_SETTINGS = {
    "steps": "4",
    "batch_size": "4",
    "eval_every": "2",
    "eval_samples": "4",
    "log_every": "1",
    "normalisation_samples": "8",
    "data.items": "16",
    "ema": "0.9",
    "schedule": "plateau",
}


class Killer:
    """Counts operations on files below `root`; kills this process at number `at`.

    `disk`: from there on the disk is so instead.
    """

    def __init__(
        self,
        root: Path,
        *,
        at: int = -1,
        half: bool = False,
        loss: str = "none",
        disk: str = "",
    ) -> None:
        self.root, self.at, self.half, self.loss, self.disk = root, at, half, loss, disk
        self.seen: list[str] = []
        # What a flush has made last, by inode. The handles keep inodes from being given again.
        self.content: dict[int, bytes] = {}
        self.names: dict[int, dict[str, int]] = {}
        self.folders: set[int] = set()
        self.handles: list[int] = []
        self.real = {name: getattr(os, name) for name in ("open", "kill", "mkdir", "rename")}
        self.real_open = io.open

    def install(self) -> None:
        """Put the stand-ins in place, for the rest of this process."""
        for name in ("mkdir", "rename", "replace", "unlink", "remove", "rmdir", "chmod", "fsync"):
            setattr(os, name, self._whole(name, getattr(os, name)))
        io.open = builtins.open = self._open
        checkpoint.save_file = self._save_file(checkpoint.save_file)

    def _point(self, name: str, part: Callable[[], Any] = lambda: None, path: Any = None) -> None:
        """The next operation; `part` does the first half of it, on `path` if it knows that."""
        self.seen.append(name)
        if self.disk:
            code, fail = DISKS[self.disk]
            if 0 <= self.at < len(self.seen) and name in fail:
                if self.half:
                    part()
                raise OSError(code, os.strerror(code), path)
        elif len(self.seen) - 1 == self.at:
            if self.half:
                with suppress(OSError):  # a folder that was there already
                    part()
            self._lose_power()
            self.real["kill"](os.getpid(), signal.SIGKILL)

    def _whole(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """An operation that is done or not; half way is done, and the program does not hear."""

        def call(*args: Any, **options: Any) -> Any:
            within = name == "fsync" or "dir_fd" in options or self._is_below(args[0])
            if not within:
                return function(*args, **options)

            def act() -> Any:
                result = function(*args, **options)
                if name == "fsync":
                    self._flushed(args[0])
                return result

            self._point(name, act, None if name == "fsync" else os.fsdecode(args[0]))
            return act()

        return call

    def _open(self, file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+") or not self._is_below(file):
            return self.real_open(file, mode, *args, **options)
        self._point("open", lambda: self.real_open(file, mode, *args, **options), os.fsdecode(file))
        opened = self.real_open(file, mode, *args, **options)
        write = opened.write

        def counted(text: Any) -> Any:
            def part() -> None:
                write(text[: len(text) // 2])
                opened.flush()

            self._point("write", part)
            return write(text)

        opened.write = counted
        return opened

    def _save_file(self, save: Callable[..., None]) -> Callable[..., None]:
        def call(tensors: Any, path: Path, metadata: Any) -> None:
            def part() -> None:
                save(tensors, path, metadata)
                os.truncate(path, path.stat().st_size // 2)

            self._point("safetensors", part)
            save(tensors, path, metadata)

        return call

    def _is_below(self, path: Any) -> bool:
        return Path(os.fsdecode(path)).is_relative_to(self.root)

    def _flushed(self, descriptor: int) -> None:
        if self.loss == "none":
            return
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        inode = path.stat().st_ino
        if path.is_dir():
            self.names[inode] = {p.name: p.stat().st_ino for p in path.iterdir()}
            keep = [path, *path.iterdir()]
            self.folders |= {p.stat().st_ino for p in keep if p.is_dir()}
        else:
            self.content[inode] = path.read_bytes()
            keep = [path]
        self.handles += [self.real["open"](p, os.O_RDONLY) for p in keep]

    def _lose_power(self) -> None:
        if self.loss == "content":
            for path in self.root.rglob("*"):
                if path.is_file():
                    self._write(path, self.content.get(path.stat().st_ino, b""))
        elif self.loss == "names" and self.root.is_dir():
            after = self.root.with_name("after")
            self._rebuild(self.root.stat().st_ino, after)
            self.real["rename"](self.root, self.root.with_name("before"))
            self.real["rename"](after, self.root)

    def _rebuild(self, inode: int, into: Path) -> None:
        self.real["mkdir"](into)
        for name, inside in self.names.get(inode, {}).items():
            if inside in self.folders:
                self._rebuild(inside, into / name)
            else:
                self._write(into / name, self.content.get(inside, b""))

    def _write(self, path: Path, content: bytes) -> None:
        with self.real_open(path, "wb") as file:
            file.write(content)


def train(folder: Path) -> None:
    """Start the tiny training, or go on with it."""
    resume = (folder / "run.toml").exists()
    run, settings, _ = runs.plan(
        pipeline=parse_pipeline("martinez:width=8"),
        strategy=parse_node("separate"),
        preset="lifter",
        changes={} if resume else _SETTINGS,
        out=folder,
        resume=resume,
        device="cpu",
    )
    runs.start(run, settings, device="cpu", workers=0, resume=resume, draw=False)


def outcome(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves, but for clock times and machines."""
    model, state = checkpoint.load_state(folder / "last")
    best = checkpoint.load_pipeline(folder / "best").state_dict()
    tensors = {**model, **state.tensors, **{f"best.{name}": v for name, v in best.items()}}
    return {
        "names": [name for name in names_in(folder) if not name.startswith("tensorboard")],
        "metrics": (folder / "metrics.jsonl").read_bytes(),
        "eval": (folder / "eval.json").read_bytes(),
        "values": state.values,
        "tensors": {name: value.numpy().tobytes() for name, value in tensors.items()},
    }


def names_in(folder: Path) -> list[str]:
    """All that is in a folder, however deep."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def differences(folder: Path, expected: dict[str, Any]) -> str:
    """Which parts of the outcome are not as expected; "" for none."""
    found = outcome(folder)
    differ = [name for name, value in expected.items() if found[name] != value]
    return f"other {', '.join(differ)}" if differ else ""


def in_child(work: Callable[[], None]) -> tuple[int, str]:
    """Run in a fork of this process; how it ended, and what it said on stderr."""
    with tempfile.TemporaryFile("w+") as words:
        pid = os.fork()
        if pid == 0:
            os.dup2(words.fileno(), 2)
            code = 1
            try:
                work()
                code = 0
            except BaseException:  # it ends here either way; the parent is told all of it
                os.write(2, traceback.format_exc().encode())
            os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        words.seek(0)
        return status, words.read().strip()


def last_line(said: str) -> str:
    """What a traceback comes to."""
    return said.rpartition("\n")[2]


def operations(base: Path) -> list[str]:
    """The operations of the training, by name, in order; it leaves `base/whole`."""
    listing = base / "operations"

    def work() -> None:
        killer = Killer(base / "whole")
        killer.install()
        train(base / "whole")
        killer.real_open(listing, "w").write("\n".join(killer.seen))

    code, said = in_child(work)
    if code:
        raise ValueError(f"the training itself failed: {last_line(said)}")
    return listing.read_text().split()


def check(base: Path, *, at: int, half: bool, loss: str, expected: dict[str, Any]) -> str:
    """Kill at an operation and go on; what is wrong then, "" for nothing."""
    folder = base / "cut" / "run"
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.parent.mkdir()

    def work() -> None:
        Killer(folder, at=at, half=half, loss=loss).install()
        train(folder)

    code, said = in_child(work)
    if code != -signal.SIGKILL:
        return f"was not killed: {last_line(said)}"
    code, said = in_child(lambda: train(folder))
    if code:
        return last_line(said)
    return differences(folder, expected)


def check_disk(base: Path, *, at: int, half: bool, disk: str, expected: dict[str, Any]) -> str:
    """Let the disk fail at an operation and go on; what is wrong then, "" for nothing."""
    folder = base / "cut" / "run"
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.parent.mkdir()

    def work() -> None:
        Killer(folder, at=at, half=half, disk=disk).install()
        try:
            train(folder)
        except OSError as error:  # what the command line says in one line
            os.write(2, f"said {error.filename or 'nothing'}: {error.strerror or error}".encode())
            os._exit(2)

    code, said = in_child(work)
    if code != 2 or not said.startswith(f"said {folder}") or "\n" in said:
        return f"exit code {code}, {said.count(chr(10)) + 1} lines: {last_line(said)}"
    new = [path for path in folder.glob("*.new") if disk == "full"]
    # A new checkpoint stays where the old one could be moved away and this one not into its place.
    if stray := [p.name for p in new if p.name[0] == "." or p.with_suffix("").exists()]:
        return f"left behind: {', '.join(stray)}"
    code, said = in_child(lambda: train(folder))
    if code:
        return last_line(said)
    return differences(folder, expected)


def sweep(*, every: int, losses: tuple[str, ...] = LOSSES) -> tuple[Counter[str], list[str]]:
    """Points by kind of operation, and what went wrong; `every` takes one point of so many.

    A loss that is one of DISKS lets the disk fail instead of killing.
    """
    counts: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        train(base / "warm")  # what every fork would load anew otherwise
        kinds = operations(base)
        expected = outcome(base / "whole")
        points = [
            (loss, at, half)
            for loss in losses
            for at, kind in enumerate(kinds)
            for half in (False, True)
            if loss in LOSSES or (kind in DISKS[loss][1] and (not half or kind in _IN_PARTS))
        ]
        for loss, at, half in points[::every]:
            if loss in DISKS:
                flaw = check_disk(base, at=at, half=half, disk=loss, expected=expected)
            else:
                flaw = check(base, at=at, half=half, loss=loss, expected=expected)
            counts[f"{loss} {kinds[at]}"] += 1
            if flaw:
                faults.append(f"{loss}: {'half' if half else 'before'} {at} {kinds[at]}: {flaw}")
    return counts, faults


def main() -> None:
    """Print the table; exit 1 if one kill was not survived."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="one point of so many")
    parser.add_argument("--loss", choices=LOSSES, action="append", help="default: each of them")
    parser.add_argument("--disk", choices=DISKS, help="let it fail so instead of killing")
    options = parser.parse_args()
    torch.set_num_threads(1)  # a fork has no other threads
    losses = (options.disk,) if options.disk else tuple(options.loss or LOSSES)
    counts, faults = sweep(every=options.every, losses=losses)
    print("| power lost or disk | operation | points |\n|---|---|---|")
    for name, count in sorted(counts.items()):
        loss, kind = name.split()
        print(f"| {loss} | {kind} | {count} |")
    for fault in faults:
        print(fault)
    what = f"times a {options.disk} disk" if options.disk else "kills"
    print(f"{counts.total()} {what}, {len(faults)} not survived")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
