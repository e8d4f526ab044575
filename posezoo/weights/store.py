"""Weights on this machine, by name: safetensors in the user's cache, checked at every load.

`NAME.json` names the file, its sha256, and says whose weights they are. It is written last, and
renamed into place, so that a name stands for the old weights or for the new ones, never for half.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from safetensors.torch import load, save
from torch import Tensor

from posezoo.hints import shown
from posezoo.typed_files import Count, decode
from posezoo.weights.index import known_weights
from posezoo.weights.shipped import shipped_weights
from posezoo.whole_files import write_atomically

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWeights:
    """What the cache says of weights, without reading them."""

    name: str
    path: Path
    sha256: str
    bytes: int
    about: dict[str, str] = field(hash=False)  # source, licence, spec, joint_set, ...


def cache_folder() -> Path:
    """$POSEZOO_CACHE, or `posezoo` in the user's cache: ~/.cache unless XDG_CACHE_HOME says."""
    if own := os.environ.get("POSEZOO_CACHE"):
        return Path(own).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home).expanduser() / "posezoo"


def save_weights(
    name: str, tensors: Mapping[str, Tensor], about: Mapping[str, str]
) -> StoredWeights:
    """Keep weights under a name; `about` goes into the file's metadata too.

    Raises:
        ValueError: the name cannot be a file's.
        OSError: the cache cannot be written; what was there before is untouched.
    """
    folder = _folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    content = save({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, dict(about))
    digest = hashlib.sha256(content).hexdigest()
    file = folder / f"{name}-{digest[:12]}.safetensors"
    write_atomically(file, content)
    described = {"file": file.name, "sha256": digest, "bytes": len(content), "about": dict(about)}
    write_atomically(folder / f"{name}.json", json.dumps(described, indent=1).encode())
    ours = re.compile(rf"\.?{re.escape(name)}-[0-9a-f]{{12}}(\.new)?\.safetensors")
    for other in folder.glob("*.safetensors"):  # the old ones, and what a kill has left half
        if ours.fullmatch(other.name) and other != file:
            other.unlink(missing_ok=True)
    return stored_weights(name)


def stored_weights(name: str) -> StoredWeights:
    """What is kept under that name, in this package or in the cache.

    Raises:
        ValueError: nothing is, or its description is damaged; the message says what to type.
    """
    if held := shipped_weights().get(name):
        size = held.path.stat().st_size
        return StoredWeights(
            name=name, path=held.path, sha256=held.sha256, bytes=size, about=held.about
        )
    path = _folder(name) / f"{name}.json"
    try:
        found = decode(path, _Described)
        return StoredWeights(
            name=name,
            path=path.with_name(found.file),
            sha256=found.sha256,
            bytes=found.bytes,
            about=found.about,
        )
    except FileNotFoundError:
        raise ValueError(
            f"the weights '{name}' are not here (looked in {path.parent}). {_advice(name)}"
        ) from None
    except ValueError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{path}: damaged ({why}). {_advice(name)}") from error


def load_weights(name: str) -> tuple[dict[str, Tensor], StoredWeights]:
    """The tensors of that name, on the CPU, and what the cache says of them.

    Raises:
        ValueError: they are not on this machine, or not as they were written.
    """
    stored = stored_weights(name)
    try:
        content = stored.path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{shown(stored.path, 4000)}: missing. {_advice(name)}") from None
    if hashlib.sha256(content).hexdigest() != stored.sha256:
        raise ValueError(
            f"{stored.path}: damaged, its sha256 is not the one written down. {_advice(name)}"
        )
    held = shipped_weights().get(name)
    without = held.without if held else ""
    return {n: t for n, t in load(content).items() if not fnmatch(n, without)}, stored


def all_stored() -> list[str]:
    """The names that are kept, in order: those of this package and of the cache."""
    return sorted({*shipped_weights(), *(path.stem for path in cache_folder().glob("*.json"))})


class _Described(msgspec.Struct):
    """NAME.json."""

    file: Annotated[str, Meta(pattern=r"^[^/\\\0]+$")]  # in the same folder
    sha256: str
    bytes: Count
    about: dict[str, str]


def _folder(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ValueError(f"weights {name!r}: expected lower-case letters, digits, '_', '.' and '-'")
    return cache_folder()


def _advice(name: str) -> str:
    known = known_weights()
    if name in known:
        return f"Type: {known[name].command}"
    return "See: posezoo weights list"
