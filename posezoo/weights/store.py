"""The user's own store of weights: a safetensors file and a card each, hash checked at every load.

A name is two files of one folder: NAME.json, which says what it is, and the safetensors file that
the card names by its sha256. The card is written last and in one step, so that a reader finds the
old weights or the new ones. POSEZOO_CACHE puts the folder elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

SCHEMA = "posezoo.weights/1"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Card:
    """What is known of stored weights without reading them."""

    name: str
    file: Path
    sha256: str
    about: dict[str, Any]  # "pipeline", "skeleton", and where they are from


def store_folder() -> Path:
    """The folder of the user's cache that weights are kept in; not made yet."""
    if chosen := os.environ.get("POSEZOO_CACHE"):
        return Path(chosen) / "weights"
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "posezoo" / "weights"


def check_name(name: str) -> None:
    """Refuse a name that could not be a file's.

    Raises:
        ValueError: not lower-case letters, digits, '.', '_' and '-'.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"name {name!r}: expected lower-case letters, digits, '.', '_' and '-', as in mixste-243"
        )


def check_free(name: str) -> None:
    """Refuse a name that is taken.

    Raises:
        ValueError: it is, or it cannot be a name.
    """
    check_name(name)
    if (taken := find(name)) is not None:
        raise ValueError(f"'{name}' is taken ({taken.file}); take another name, or add --replace")


def save(
    name: str,
    tensors: Mapping[str, Tensor],
    about: Mapping[str, Any],  # JSON values; goes into the card, and into the file itself
    *,
    replace: bool = False,
) -> Path:
    """Keep weights under a name; returns the safetensors file.

    Raises:
        ValueError: the name is taken, or cannot be one.
        OSError: no space or no permission; what was there before is untouched.
    """
    check_name(name)
    if not replace:
        check_free(name)
    card, before = _card_file(name), find(name)
    folder = store_folder()
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{name}.{os.getpid()}.tmp"
    told = {"schema": SCHEMA, **{key: _text(value) for key, value in about.items()}}
    try:
        save_file({n: t.detach().cpu().contiguous() for n, t in tensors.items()}, unfinished, told)
        digest = _sha256(unfinished)
        file = folder / f"{name}.{digest[:12]}.safetensors"
        unfinished.replace(file)
        text = {"schema": SCHEMA, "file": file.name, "sha256": digest, "about": dict(about)}
        unfinished.write_text(json.dumps(text, indent=1), encoding="utf-8")
        unfinished.replace(card)
    except SafetensorError as error:
        raise OSError(f"{folder}: the weights could not be written ({error})") from error
    finally:
        unfinished.unlink(missing_ok=True)
    if before is not None and before.file != file:
        before.file.unlink(missing_ok=True)
    return file


def find(name: str) -> Card | None:
    """The card of that name, if there is one.

    Raises:
        ValueError: the card is damaged.
    """
    path = _card_file(name)
    if not _NAME.fullmatch(name) or not path.is_file():
        return None
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
        return Card(name, path.with_name(text["file"]), text["sha256"], text["about"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: damaged ({error}); delete it and import again") from error


def open(name: str) -> tuple[dict[str, Tensor], Card]:
    """The weights of that name, and their card.

    Raises:
        ValueError: no such name, or the file is not what was saved.
    """
    card = find(name)
    if card is None:
        known = ", ".join(stored.name for stored in stored_cards()) or "none"
        raise ValueError(f"no weights called '{name}' are stored; there are: {known}")
    if not card.file.is_file():
        raise ValueError(f"{card.file}: missing; import '{name}' again")
    if _sha256(card.file) != card.sha256:
        raise ValueError(
            f"{card.file}: damaged, its sha256 is not the one of its card; import '{name}' again"
        )
    return load_file(card.file), card


def stored_cards() -> list[Card]:
    """All cards, in the order of their names."""
    names = sorted(path.stem for path in store_folder().glob("*.json"))
    return [card for name in names if (card := find(name)) is not None]


def _card_file(name: str) -> Path:
    return store_folder() / f"{name}.json"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
