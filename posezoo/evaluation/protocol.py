"""An evaluation protocol as data: what is averaged over whom, with a hash to compare numbers by."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, Literal

from posezoo.hints import unknown

Aggregate = Literal["poses", "action", "subject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Which joints of which poses count, and how their errors become one number."""

    key: str
    summary: str
    root: int = 0  # the joint both poses are centred on
    joints: tuple[int, ...] = ()  # those that count; empty: all
    stride: int = 1  # every n-th item of the split
    subjects: tuple[str, ...] = ()  # only these people; empty: all of the split
    drop: tuple[str, ...] = ()  # sequences that do not count
    aggregate: Aggregate = "poses"  # mean over poses, or of group means
    joints2d: str = ""  # the detection that a lifter is given; empty: what the data say
    views: str = ""  # of what cameras, where data invent them; empty: what the data say
    augment: str = ""  # what is done to the items (docs/augmentation.md), by seed 0

    @property
    def hash(self) -> str:
        """Ten hex digits of everything that changes a number; the wording does not."""
        facts = {k: v for k, v in asdict(self).items() if k not in ("key", "summary")}
        for name in ("joints2d", "views", "augment"):
            if not facts[name]:  # so that the hashes of older numbers stay what they were
                del facts[name]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {**asdict(self), "hash": self.hash}


def protocols() -> dict[str, Protocol]:
    """The protocols of `protocols.toml`, by key."""
    text = (
        resources.files("posezoo.evaluation").joinpath("protocols.toml").read_text(encoding="utf-8")
    )
    tables = tomllib.loads(text)
    return {key: Protocol(key=key, **_values(table)) for key, table in tables.items()}


def find_protocol(key: str) -> Protocol:
    """The protocol of that key.

    Raises:
        ValueError: there is none; the message names near ones.
    """
    known = protocols()
    if key not in known:
        raise ValueError(unknown("protocol", key, sorted(known)))
    return known[key]


def _values(table: dict[str, Any]) -> dict[str, Any]:
    """TOML has lists; what is hashed must not change."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
