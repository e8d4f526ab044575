"""Files that are there whole or not at all, whatever ends the program, or the power.

What is written goes beside its final name, to the disk, and is then renamed into place. A kill
leaves it there under one name, which the next writing of the same file takes: nothing piles up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock


def write_atomically(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one, never half."""
    beside = name_beside(path)
    try:
        with naming(path):
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            fsync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Where to write a file that is not made in one piece; it is put in place at the end.

    Raises:
        ValueError: another process is writing it.
    """
    beside = name_beside(path)
    with held(path):
        beside.unlink(missing_ok=True)  # of one that was killed
        try:
            with naming(path):
                yield beside
                fsync(beside)
                beside.replace(path)
                fsync(path.parent)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The right to write a file or a folder; it goes with the process, however that ends.

    Raises:
        ValueError: another process has it.
    """
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(
            f"{path}: another process is writing it. Wait for it, or take another name"
        ) from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)  # whoever waits for it asks again
        lock.release()


@contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; it becomes `folder`, which is not there yet, at the end."""
    beside = name_beside(folder)
    shutil.rmtree(beside, ignore_errors=True)  # of one that was killed
    beside.mkdir(parents=True)
    try:
        yield beside
        fsync_names(beside)
        beside.rename(folder)
        fsync(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def require_free(path: Path) -> None:
    """Refuse to write over a file; what a kill has left beside it goes.

    Raises:
        ValueError: it is there.
    """
    if path.exists():
        with suppress(ValueError), held(path):
            name_beside(path).unlink(missing_ok=True)
        raise ValueError(f"{path}: exists already; remove it first or take another name")


def name_beside(path: Path) -> Path:
    """What a file is called until it is whole; its ending still tells the format."""
    return path.with_name(f".{path.stem}.new{path.suffix}")


def fsync(path: Path) -> None:
    """Have the system put a file's content, or a folder's names, on disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no handle on a folder to flush
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_names(folder: Path) -> None:
    """Have the system put the names in a folder on disk, however deep."""
    for each in (folder, *folder.rglob("*")):
        if each.is_dir():
            fsync(each)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError the name of the file: that of a write or a flush does not know it."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
