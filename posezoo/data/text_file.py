"""Text as people's programs write it: with a byte order mark or without, one reader for all.

Spreadsheets and editors on Windows begin UTF-8 files with a mark (EF BB BF) that is no part of the
text. What stands in such a file may be shown in an error only by `posezoo.hints.shown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from posezoo import typed_files


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, without its mark.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8.
    """
    return typed_files.read_text(path)


def read_json(path: Path, *, constant: Callable[[str], Any] | None = None) -> Any:
    """The content of a JSON file of data; `constant` is called with NaN, Infinity or -Infinity.

    Raises:
        OSError: it cannot be read.
        ValueError: as `posezoo.typed_files.read_tree`.
    """
    return typed_files.read_tree(path, constant=constant)


def with_ending(files: Iterable[Path], *endings: str) -> list[Path]:
    """The files of these endings, .BVH as well as .bvh, in the order of their names."""
    return sorted(file for file in files if file.suffix.lower() in endings and file.is_file())
