"""The weights that this package holds, by name (shipped.toml): small lifters, trained here.

Each is the model.safetensors of a checkpoint, under posezoo/weights/shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from posezoo.typed_files import decode, typed


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedWeights:
    """One stanza of shipped.toml."""

    name: str
    file: str  # in posezoo/weights/shipped
    sha256: str
    summary: str
    source: str  # the data, and the command that makes them again
    licence: str
    spec: str  # the lifter that they fit
    joint_set: str  # a name of skeletons.toml
    without: str = ""  # tensors of the file that this lifter has no place for, a pattern
    default: bool = False  # what `posezoo predict` takes where nobody says

    @property
    def path(self) -> Path:
        """The file."""
        return Path(__file__).parent / "shipped" / self.file

    @property
    def about(self) -> dict[str, str]:
        """What stored weights say of themselves."""
        names = ("summary", "source", "licence", "spec", "joint_set")
        return {name: getattr(self, name) for name in names}


@cache
def shipped_weights() -> dict[str, ShippedWeights]:
    """The stanzas, by name."""
    file = Path(__file__).with_name("shipped.toml")
    return {
        name: typed({"name": name, **stanza}, ShippedWeights, where=f"{file}: {name}")
        for name, stanza in decode(file, dict[str, dict[str, Any]]).items()
    }
