"""Weight files of other projects, read without running what is in them.

The only file of posezoo that opens pickles, and by torch's `weights_only` reader: it builds tensors
and plain values, and stops at anything else. Beside those, numpy's own constructors of arrays and
random states are let through, which training programs save beside the weights; they only hold
numbers. `trust` reads everything, and runs whatever the file says.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # only the error's name; torch does the reading
from typing import Any

import numpy as np
import torch

from posezoo.hints import shown
from posezoo.safetensors_file import read_tensors

Warn = Callable[[str], None]  # what the user must be told before it happens

# How files begin that are often taken for weights, and what to do about it.
_FIRST_BYTES = (
    (b"<", "a web page, not weights: the download asked for a login or a click; fetch it again"),
    (b"version https://git-lfs", "a git-lfs pointer, not the weights: run `git lfs pull`"),
    (b"\x89HDF\r\n", "an HDF5 file (Keras?); convert it to safetensors"),
    (b"\x1f\x8b", "gzip: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a rar archive: unpack it first"),
)
# Whatever torch's readers have been seen to raise on damaged bytes.
_UNREADABLE = (
    UnpicklingError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    AssertionError,
    OverflowError,
    MemoryError,
    ImportError,
    struct.error,
)


@dataclass(frozen=True)
class Contents:
    """What a file holds, as it was saved: a state dict, perhaps wrapped, with more beside it."""

    path: Path
    sha256: str
    value: Any


def read(
    path: Path,
    *,
    trust: bool = False,
    warn: Warn,
) -> Contents:
    """Read a .safetensors, or a pickle of torch (.pth, .pt, .pth.tar, .bin, .ckpt), by its bytes.

    Raises:
        ValueError: not a file of weights, a damaged one, or one that needs `trust`.
    """
    if path.is_dir():
        raise ValueError(f"{path}: a folder without model.safetensors; name one file")
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    digest = sha256_of(path)
    with path.open("rb") as file:
        first = file.read(512)
    if not first:
        raise ValueError(f"{path}: empty, 0 bytes; the download did not finish")
    # The header's length, which has a zero byte as no text has, and the header. It comes first, for
    # a length can begin like anything.
    if b"\0" in first[:8] and first[8:9] == b"{":
        try:
            return Contents(path, digest, read_tensors(path))
        except ValueError as error:
            raise _damaged(path, error) from error
    for beginning, advice in _FIRST_BYTES:
        if first.lstrip().startswith(beginning):
            raise ValueError(f"{path}: {advice}")
    if first.startswith(b"PK"):
        _check_archive(path)
    elif first[:1] == b"\x80" and first[1:2] != b"\x02":  # the protocol that torch.save writes
        raise ValueError(
            f"{path}: a pickle, but not of torch.save; where it was made, save the state dict: "
            "torch.save(state_dict, 'weights.pth')"
        )
    elif first[:1] != b"\x80":  # how every pickle begins
        raise ValueError(
            f"{path}: neither safetensors nor a file of torch.save (it begins {first[:8]!r})"
        )
    return Contents(path, digest, _torch(path, trust=trust, warn=warn))


def sha256_of(path: Path) -> str:
    """The file's sha256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_archive(path: Path) -> None:
    """Refuse an archive that torch would not have written, before it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _damaged(path, error) from error
    if not any(record.filename.endswith("data.pkl") for record in records):
        inside = records[0].filename if records else "nothing"
        raise ValueError(
            f"{path}: an archive without weights of torch.save; it holds {shown(inside)}"
        )
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise ValueError(f"{path}: a compressed archive, which torch.save never writes")
    if any("code/" in record.filename for record in records):
        raise ValueError(
            f"{path}: TorchScript, a program with its weights; save its state_dict() instead: "
            "torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')"
        )


def _torch(path: Path, *, trust: bool, warn: Warn) -> Any:
    mmap = zipfile.is_zipfile(path)  # the older layout cannot be mapped
    if trust:
        warn(f"{path}: --trust: reading it runs whatever code it holds")
        try:
            return torch.load(path, map_location="cpu", weights_only=False, mmap=mmap)
        except _UNREADABLE as error:
            raise _damaged(path, error) from error
    try:
        with torch.serialization.safe_globals(_harmless()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old layouts: it reads or it fails
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except _UNREADABLE as error:
        if wanted := re.search(r"GLOBAL (\S+) (?:was not an|whose module)", str(error)):
            raise ValueError(
                f"{path}: not read: beside tensors it holds {shown(wanted[1])}, which could run "
                "code. Only if you trust whoever made it: --trust"
            ) from error
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> ValueError:
    text = re.sub(r"\s+", " ", str(error)) or type(error).__name__
    text = text.removeprefix(f"{path}: ")
    said = "" if text.startswith("Weights only load failed") else f"; {shown(text, 120)}"
    size = path.stat().st_size
    return ValueError(
        f"{path}: cut short or damaged ({size:,} bytes{said}); compare its size with the "
        "publisher's and fetch it again"
    )


def _harmless() -> list[Any]:
    """Constructors of plain data that training programs save beside the weights."""
    allowed: list[Any] = [argparse.Namespace, np.ndarray, np.dtype, np.random.RandomState]
    allowed += {type(np.dtype(code)) for code in np.typecodes["AllInteger"] + "efdg?"}
    for value in (np.random.RandomState(0), np.random.MT19937(0)):
        allowed += [type(value), value.__reduce__()[0]]
    # What numpy called it before 1.17, when VideoPose3D's files were made.
    allowed.append((getattr(np.random, "__RandomState_ctor"), "numpy.random.__RandomState_ctor"))
    array, scalar = np.zeros(1).__reduce__(), np.float64(0).__reduce__()
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed += [(array[0], f"{module}._reconstruct"), (scalar[0], f"{module}.scalar")]
    return allowed
