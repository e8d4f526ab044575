"""A TOML file whose mistakes are reported with the file and the line they stand on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from posezoo import hints
from posezoo.registry.errors import ManifestError

_MAX_BYTES = 500_000  # 3,000 entries
# The parser's time grows with the square of the parts of a dotted key, and a key is one line.
_MAX_LINE = 1_000
_MAX_SHOWN = 10  # mistakes
_MAX_MESSAGE = 500  # characters of one
_MAX_MISTAKES = 50  # of so many, the rest is not looked for


class TomlFile:
    """A parsed file; `note` collects what is wrong with its content, `report` raises it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = _read(path)
        self.lines = text.split("\n")
        self.tables = _parse(text, path)
        self.mistakes: list[tuple[str, tuple[str, ...]]] = []

    def note(self, message: str, *place: str) -> None:
        """Remember a mistake, and its table and field: as many names as apply.

        Raises:
            ManifestError: there are so many that the file is none of this format.
        """
        self.mistakes.append((message, place))
        if len(self.mistakes) >= _MAX_MISTAKES:
            self.report()

    def report(self) -> None:
        """Raise if there was any mistake.

        Raises:
            ManifestError: the first mistakes, each with its line.
        """
        shown = [
            f"{self.path}:{self._line(place)}: "
            + (f"[{hints.shown('.'.join(place[:2]))}] " if place else "")
            + hints.shown(message, _MAX_MESSAGE)
            for message, place in self.mistakes[:_MAX_SHOWN]
        ]
        if len(self.mistakes) >= _MAX_MISTAKES:
            shown.append("and more mistakes")
        elif len(self.mistakes) > _MAX_SHOWN:
            shown.append(f"and {len(self.mistakes) - _MAX_SHOWN} more mistakes")
        if shown:
            raise ManifestError("; ".join(shown))

    def _line(self, place: tuple[str, ...]) -> int:
        """The line of a field, else of its table's header, else 1."""
        header = re.compile(r"\s*\[\s*" + r"\s*\.\s*".join(map(_quoted, place[:2])) + r"\b")
        start = next((n for n, line in enumerate(self.lines, 1) if header.match(line)), 1)
        if len(place) < 3:
            return start if place else 1
        field = re.compile(rf"\s*{_quoted(place[2])}\s*[=.]")
        for number, line in enumerate(self.lines[start:], start + 1):
            if line.lstrip().startswith("["):
                break
            if field.match(line):
                return number
        return start


def _quoted(name: str) -> str:
    return rf"[\"']?{re.escape(name)}[\"']?"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise ManifestError(f"{path}: larger than {_MAX_BYTES} bytes, which no registry.toml needs")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise ManifestError(f"{path}:{line}:{column}: not UTF-8: {error.reason}") from error
    for number, line_text in enumerate(text.split("\n"), 1):
        if len(line_text) > _MAX_LINE:
            raise ManifestError(f"{path}:{number}: a line of more than {_MAX_LINE} characters")
    return text


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line, column = _position(str(error), text)
        raise ManifestError(f"{path}:{line}:{column}: {message}") from error
    except RecursionError as error:
        raise ManifestError(f"{path}: nested too deeply; an entry is one flat table") from error


def _position(message: str, text: str) -> tuple[str, int, int]:
    """Take the line and column out of tomllib's message; a cut file is wrong at its end."""
    match = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if match:
        return match[1], int(match[2]), int(match[3])
    lines = text.split("\n")
    return message.removesuffix(" (at end of document)"), len(lines), len(lines[-1]) + 1
