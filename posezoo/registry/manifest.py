"""Reads a registry.toml: the zoo, or a plugin's part of it, as data.

One table per entry, `[lifter.martinez]`, with `entry`, `summary` and `licence`, and with what else
`FIELDS` and `FACTS` name. Every mistake is reported, with file and line, in one error.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from posezoo.registry.entry import GIVEN, KINDS, Entry
from posezoo.registry.errors import ManifestError, did_you_mean
from posezoo.registry.spec import is_name

SCHEMA = "posezoo.registry/1"
FIELDS: dict[str, type] = {
    "entry": str,
    "summary": str,
    "licence": str,
    "paper": str,
    "input": str,
    "output": str,
    "example": str,
    "defaults": dict,
}
REQUIRED = ("entry", "summary", "licence")
# What code knows too: a listing shows it without importing anything, `posezoo check` compares it.
FACTS: dict[str, dict[str, type]] = {
    "backbone": {"channels": list, "strides": list},
    "head": {},
    "lifter": {"frames": int},
    "strategy": {},
    "dataset": {},
}
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_TYPES = {str: "a string", dict: "a table", int: "a whole number", list: "a list of whole numbers"}
_MAX_BYTES = 1_000_000
# The parser's time grows with the square of the parts of a dotted key, and a key is one line.
_MAX_LINE = 1_000


def builtin_manifest() -> Path:
    """The zoo's own registry.toml: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package, package.parent):
        if (path := folder / "registry.toml").is_file():
            return path
    raise ManifestError(f"no registry.toml in {package} or beside it; install posezoo again")


def read_manifest(path: Path, *, origin: str, prefix: str | None = None) -> list[Entry]:
    """The entries of one registry.toml; a plugin's keys become `prefix/key`.

    Raises:
        ManifestError: the file cannot be read, is no TOML, or does not follow the format.
    """
    text = _read(path)
    tables = _parse(text, path)
    mistakes = _Mistakes(path, text)
    if tables.get("schema") != SCHEMA:
        found = repr(tables["schema"]) if isinstance(tables.get("schema"), str) else "none"
        mistakes.add(f'expected schema = "{SCHEMA}", found {found}')
    entries = []
    homes: dict[str, str] = {}
    for kind, table in tables.items():
        if kind == "schema":
            continue
        if kind not in KINDS:
            hint = did_you_mean(kind, KINDS) or f" Known: {', '.join(KINDS)}."
            mistakes.add(f"unknown kind {kind!r}.{hint}", kind)
            continue
        if not isinstance(table, dict):
            mistakes.add(f"expected tables [{kind}.KEY]", kind)
            continue
        for key, stanza in table.items():
            if homes.setdefault(key, kind) != kind:
                mistakes.add(f"key {key!r} is a {homes[key]} already", kind, key)
            if _check(kind, key, stanza, mistakes):
                entries.append(_entry(kind, key, stanza, origin=origin, prefix=prefix))
    mistakes.report()
    return entries


def _check(kind: str, key: str, stanza: Any, mistakes: _Mistakes) -> bool:
    """Note what is wrong with one stanza; True if an entry can be made of it."""
    before = len(mistakes.found)
    if not is_name(key):
        rule = "lower-case letters, digits and '_', a letter first"
        mistakes.add(f"key {key!r}: expected {rule}", kind, key)
    if not isinstance(stanza, dict):
        mistakes.add(f"expected a table [{kind}.{key}]", kind, key)
        return False
    known = FIELDS | FACTS[kind]
    for name, value in stanza.items():
        if name not in known:
            hint = did_you_mean(name, known) or f" Known: {', '.join(known)}."
            mistakes.add(f"unknown field {name!r}.{hint}", kind, key, name)
        elif not _fits(value, known[name]):
            expected, found = _TYPES[known[name]], type(value).__name__
            mistakes.add(f"{name}: expected {expected}, got {found}", kind, key, name)
        elif isinstance(value, str) and not (value and value.isprintable()):
            mistakes.add(f"{name}: expected one line of text, got {value!r}", kind, key, name)
    for name in REQUIRED:
        if name not in stanza:
            mistakes.add(f"{name} is missing", kind, key)
    target = stanza.get("entry")
    if isinstance(target, str) and target and not _TARGET.fullmatch(target):
        expected = 'expected "package.module:Class"'
        mistakes.add(f"entry: {expected}, got {target!r}", kind, key, "entry")
    defaults = stanza.get("defaults")
    for name in GIVEN[kind]:
        if isinstance(defaults, dict) and name in defaults:
            mistakes.add(f"defaults: {name!r} is given by the pipeline", kind, key, "defaults")
    return len(mistakes.found) == before


def _fits(value: Any, expected: type) -> bool:
    if expected is list:
        return isinstance(value, list) and all(_fits(item, int) for item in value)
    return isinstance(value, expected) and not isinstance(value, bool)


def _entry(
    kind: str, key: str, stanza: dict[str, Any], *, origin: str, prefix: str | None
) -> Entry:
    facts = ("input", "output", "example", *FACTS[kind])
    return Entry(
        kind=kind,
        key=f"{prefix}/{key}" if prefix else key,
        target=stanza["entry"],
        summary=stanza["summary"],
        licence=stanza["licence"],
        origin=origin,
        paper=stanza.get("paper"),
        facts={name: stanza[name] for name in facts if name in stanza},
        defaults=stanza.get("defaults", {}),
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise ManifestError(f"{path}: larger than {_MAX_BYTES} bytes, which no registry.toml needs")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise ManifestError(f"{path}:{line}:{column}: not UTF-8: {error.reason}") from error
    for number, line_text in enumerate(text.splitlines(), 1):
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
    return message, len(lines), len(lines[-1]) + 1


class _Mistakes:
    """Collects what is wrong, each with the line it stands on."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.found: list[str] = []

    def add(self, message: str, *table: str) -> None:
        """Note a mistake in the table of that kind, key and field (as many as apply)."""
        name = f"[{'.'.join(table[:2])}] " if table else ""
        self.found.append(f"{self.path}:{self._line(table)}: {name}{message}")

    def report(self) -> None:
        """Raise if there was any mistake."""
        if self.found:
            raise ManifestError("; ".join(self.found))

    def _line(self, table: tuple[str, ...]) -> int:
        """The line of a field, else of its table's header, else 1."""
        header = re.compile(r"\s*\[\s*" + r"\s*\.\s*".join(_quoted(t) for t in table[:2]) + r"\b")
        starts = [n for n, line in enumerate(self.lines) if table and header.match(line)]
        if not starts:
            return 1
        field = re.compile(rf"\s*{_quoted(table[-1])}\s*[=.]")
        for number, line in enumerate(self.lines[starts[0] + 1 :], starts[0] + 2):
            if line.lstrip().startswith("["):
                break
            if len(table) == 3 and field.match(line):
                return number
        return starts[0] + 1


def _quoted(name: str) -> str:
    return rf"[\"']?{re.escape(name)}[\"']?"
