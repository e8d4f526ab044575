"""What `fuzz_files` knows of a format: how a whole file is made, and what reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Target:
    """A format: `make` lays a seed out in a folder, `read` reads it, writing below `out`."""

    make: Callable[[Path], None]
    files: tuple[str, ...]
    read: Callable[[Path, Path], object]


def json_maker(name: str, content: Any) -> Callable[[Path], None]:
    return lambda folder: save_json(folder / name, content)


def save_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
