"""What `fuzz_files` knows of a format: how a whole file is made, and what reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posezoo.data.convert.conversion import convert
from posezoo.data.convert.recipe import Options


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


def converted(name: str, source: str = ".", **given: Any) -> Callable[[Path, Path], None]:
    """A reader as `posezoo data convert NAME`; paths in `given` are names in the folder."""

    def read(folder: Path, out: Path) -> None:
        paths = {key: folder / value for key, value in given.items() if key != "trust"}
        options = Options(**paths, trust=given.get("trust", False))
        convert(name, folder / source, out / "store.h5", options=options)

    return read
