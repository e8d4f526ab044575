"""What a file or folder holds, as one short word: to see whether data changed since a run began.

The sha256 of names, sizes and content. Of a file over 64 MiB, 1024 pieces of 64 KiB are read,
evenly spread, the first and last among them: a change in place between those pieces, which leaves
the size as it was, is not seen. Of a folder it is the files right in it, but for hidden ones: runs
may stand in folders below.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

_PIECE, _PIECES = 64 << 10, 1024


def fingerprint(path: Path) -> str:
    """Of a file, or of the files of a folder; "" where nothing is."""
    if not path.exists():
        return ""
    digest = hashlib.sha256()
    files = sorted(p for p in path.glob("[!.]*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path).as_posix()}\0{size}\0".encode())
        _add(digest, file, size)
    return digest.hexdigest()


def _add(digest: Any, file: Path, size: int) -> None:
    whole = size <= _PIECE * _PIECES
    step = _PIECE if whole else (size - _PIECE) / (_PIECES - 1)
    count = -(-size // _PIECE) if whole else _PIECES
    with file.open("rb") as opened:
        for k in range(count):
            opened.seek(round(k * step))
            digest.update(opened.read(_PIECE))
