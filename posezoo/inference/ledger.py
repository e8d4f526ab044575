"""What a folder of results already holds, so that the same command goes on where it was broken off.

One line a source in `.predicted.jsonl`: what it was made of and how. The last line of a source
counts, and a line that a kill has cut does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from posezoo.typed_files import Count, parse_json, typed
from posezoo.whole_files import naming

FILE = ".predicted.jsonl"


class _Record(msgspec.Struct):
    """A line."""

    stem: str
    people: Count
    settings: str
    made_of: list[Any]


class Ledger:
    """The record of one folder, for one way of predicting.

    Args:
        folder: where results are written.
        settings: all that decides what a result is, as JSON values.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._file = folder / FILE
        text = json.dumps(settings, sort_keys=True, default=str)
        self._settings = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._done: dict[str, _Record] = {}
        lines = ""
        if self._file.is_file():
            lines = self._file.read_text(encoding="utf-8", errors="replace")
        self._cut = bool(lines) and not lines.endswith("\n")  # a line by a kill
        for line in lines.splitlines():
            try:
                record = typed(parse_json(line, where=""), _Record, where="")
            except ValueError:
                continue
            self._done[record.stem] = record

    def people(self, stem: str, made_of: Sequence[Any], files: Sequence[Path]) -> int | None:
        """How many people were found, if it is done just so and its files are there; else None."""
        record = self._done.get(stem)
        if record is None or (record.settings, record.made_of) != (self._settings, [*made_of]):
            return None
        return record.people if all(file.is_file() for file in files) else None

    def add(self, stem: str, made_of: Sequence[Any], people: int) -> None:
        """Note that a source is done. Its files are written before."""
        record = {"stem": stem, "people": people, "settings": self._settings, "made_of": [*made_of]}
        line, self._cut = "\n" * self._cut + json.dumps(record) + "\n", False
        with naming(self._file), self._file.open("ab") as file:  # at once: others write here too
            file.write(line.encode())
