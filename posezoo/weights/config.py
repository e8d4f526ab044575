"""A network's constructor arguments, as their projects write them down, in one flat mapping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posezoo.typed_files import decode, parse_json, typed

# Where projects put the arguments proper; what lies below is also put at the top.
_SECTIONS = ("constructor", "config", "cfg")


def read_config(text: str) -> dict[str, Any]:
    """A JSON file, or JSON itself: a constructor's arguments, or a config.json that has them.

    Raises:
        ValueError: neither a file nor JSON, or JSON of something else than an object.
    """
    if text.lstrip().startswith("{"):
        where = "--config"
        return flatten(typed(parse_json(text, where=where), dict[str, Any], where=where))
    return flatten(decode(Path(text), dict[str, Any], expected="a constructor's arguments"))


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the sections' own items at the top, where they win."""
    flat = dict(config)
    for section in _SECTIONS:
        if isinstance(flat.get(section), Mapping):
            flat |= flat[section]
    return flat
