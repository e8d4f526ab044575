"""A network's constructor arguments, as their projects write them down, in one flat mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Where projects put the arguments proper; what lies below is also put at the top.
_SECTIONS = ("constructor", "config", "cfg")


def read_config(text: str) -> dict[str, Any]:
    """A JSON file, or JSON itself: a constructor's arguments, or a config.json that has them.

    Raises:
        ValueError: neither a file nor JSON, or JSON of something else than an object.
    """
    inline = text.lstrip().startswith("{")
    path = Path("--config" if inline else text)
    try:
        value = json.loads(text if inline else path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path}: holds {type(value).__name__}, expected a JSON object")
    return flatten(value)


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the sections' own items at the top, where they win."""
    flat = dict(config)
    for section in _SECTIONS:
        if isinstance(flat.get(section), Mapping):
            flat |= flat[section]
    return flat
