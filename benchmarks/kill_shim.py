"""Stand-ins for the functions that change files, which kill the program or let the disk fail.

Only what changes files below one folder is counted: open for writing, write, truncate, fsync,
mkdir, rename, unlink, rmdir and chmod, as Python's own functions do them. HDF5 writes through a
file object of Python here, so that each of its writes is one. Two writers that are not Python, of
safetensors and of torch.export, count as one operation each.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import torch

from posezoo.training import checkpoint

_TAKES_ROOM = {"open", "write", "fsync", "mkdir", "rename", "replace", "native"}
IN_PARTS = {"write", "native"}  # of these half may be done
DISKS = {
    "full": (errno.ENOSPC, _TAKES_ROOM),
    "read-only": (errno.EROFS, _TAKES_ROOM | {"unlink", "remove", "rmdir", "chmod", "truncate"}),
}
LOSSES = ("none", "content", "names")
_WHOLE = (
    *("mkdir", "rename", "replace", "unlink", "remove", "rmdir", "chmod"),
    *("fsync", "truncate", "ftruncate"),
)


class Killer:
    """Counts operations on files below `root`; kills this process at number `at`.

    `loss`: with the power. "content": names stay, and what was not flushed is gone. "names": also
    names of a folder that was not flushed since; only `root` itself is taken to be there.
    `disk`: no kill; from there on the disk is so.
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
        self.turn = threading.RLock()

    def install(self) -> None:
        """Put the stand-ins in place, for the rest of this process; what is there is on disk."""
        for path in (self.root, *self.root.rglob("*")) if self.root.is_dir() else ():
            self._kept(path)
        for name in _WHOLE:
            setattr(os, name, self._whole(name, getattr(os, name)))
        os.open = self._os_open(os.open)
        os.write = self._os_write(os.write)
        os.sendfile = self._sendfile(os.sendfile)
        io.open = builtins.open = self._open
        checkpoint.save_file = self._native(checkpoint.save_file, place=1)
        torch.export.save = self._native(torch.export.save, place=1)
        h5py.File = self._hdf5(h5py.File)

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
            with self.turn:
                self._lose_power()
                self.real["kill"](os.getpid(), signal.SIGKILL)

    def _whole(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """An operation that is done or not; half way is done, and the program does not hear."""

        def call(*args: Any, **options: Any) -> Any:
            if not self._is_below(args[0], options.get("dir_fd")):
                return function(*args, **options)

            def act() -> Any:
                result = function(*args, **options)
                if name == "fsync":
                    self._flushed(args[0])
                return result

            path = None if isinstance(args[0], int) else os.fsdecode(args[0])
            with self.turn:  # no other thread renames a file while its content is being lost
                self._point("truncate" if name == "ftruncate" else name, act, path)
                return act()

        return call

    def _os_open(self, function: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, **options: Any) -> int:
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and self._is_below(path, options.get("dir_fd")):
                part = lambda: function(path, flags, *args, **options)  # noqa: E731 - as elsewhere
                self._point("open", part, os.fsdecode(path))
            return function(path, flags, *args, **options)

        return call

    def _os_write(self, function: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def call(descriptor: int, data: Any) -> int:
            if self._is_below(descriptor):
                self._point("write", lambda: function(descriptor, data[: len(data) // 2]))
            return function(descriptor, data)

        return call

    def _sendfile(self, function: Callable[..., int]) -> Callable[..., int]:
        def call(out: int, source: int, offset: int, count: int) -> int:
            if self._is_below(out):
                some = min(count, os.fstat(source).st_size) // 2
                self._point("write", lambda: function(out, source, offset, some))
            return function(out, source, offset, count)

        return call

    def _open(self, file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+") or not self._is_below(file):
            return self.real_open(file, mode, *args, **options)
        if not isinstance(file, int) and "opener" not in options:  # else os.open counts it
            part = lambda: self.real_open(file, mode, *args, **options)  # noqa: E731 - as elsewhere
            self._point("open", part, os.fsdecode(file))
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

    def _native(self, save: Callable[..., None], place: int) -> Callable[..., None]:
        """A writer that is not Python: nothing, half of the file, or all."""

        def call(*args: Any, **options: Any) -> None:
            path = Path(args[place])

            def part() -> None:
                save(*args, **options)
                os.truncate(path, path.stat().st_size // 2)

            if self._is_below(path):
                self._point("native", part)
            save(*args, **options)

        return call

    def _hdf5(self, real: type[h5py.File]) -> type[h5py.File]:
        killer = self

        class File(real):  # type: ignore[misc, valid-type]  # the class of this h5py
            def __init__(self, name: Any, mode: str = "r", **options: Any) -> None:
                self.raw = None
                if mode != "r" and isinstance(name, str | Path) and killer._is_below(name):
                    self.raw = name = Path(name).open({"w": "w+b", "r+": "r+b"}[mode])
                super().__init__(name, mode, **options)

            def close(self) -> None:
                super().close()
                if self.raw is not None:
                    self.raw.close()

        return File

    def _is_below(self, path: Any, folder: int | None = None) -> bool:
        """Of a path, or of a file that is open; `folder` is what a path begins in."""
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        elif folder is not None:
            path = Path(f"/proc/self/fd/{folder}").readlink() / os.fsdecode(path)
        return Path(os.fsdecode(path)).is_relative_to(self.root)

    def _flushed(self, descriptor: int) -> None:
        self._kept(Path(f"/proc/self/fd/{descriptor}").resolve())

    def _kept(self, path: Path) -> None:
        if self.loss == "none":
            return
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
