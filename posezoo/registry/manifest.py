"""Reads a registry.toml: the zoo, or a plugin's part of it, as data.

One table per entry, `[lifter.martinez]`, with `entry`, `summary` and `licence`, and with what else
`FIELDS` and `FACTS` name. Every mistake is reported, with file and line, in one error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_origin

from posezoo.hints import did_you_mean
from posezoo.registry.entry import GIVEN, KINDS, Entry
from posezoo.registry.errors import ManifestError
from posezoo.registry.spec import KEY_RULE, is_name
from posezoo.registry.toml_file import TomlFile

SCHEMA = "posezoo.registry/1"
REQUIRED = ("entry", "summary", "licence")
FIELDS: dict[str, Any] = {
    **dict.fromkeys(REQUIRED, str),
    "paper": str,
    "requires": list[str],  # what pip must install for it, beside the distribution itself
    "defaults": dict,
}
# What `list` and `info` show without importing anything; `posezoo check` compares it to the code.
FACTS: dict[str, dict[str, Any]] = {
    "backbone": {"channels": list[int], "strides": list[int]},
    "head": {},
    "lifter": {"frames": int, "future": int},
    "detector": {"joint_set": str},
    "strategy": {},
    "dataset": {},
}
# In words, for every kind. `example` is a pipeline that holds the entry; with the parameters of
# `check` `posezoo check` takes seconds.
_SHAPES = dict.fromkeys(("input", "output", "example", "check", "limits", "weights_licence"), str)
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_TYPES = {
    str: "a string",
    dict: "a table",
    int: "a whole number",
    list[int]: "a list of whole numbers",
    list[str]: "a list of strings",
}


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
    file = TomlFile(path)
    schema = file.tables.pop("schema", None)
    if schema != SCHEMA:
        found = repr(schema) if isinstance(schema, str) else "none"
        file.note(f'expected schema = "{SCHEMA}", found {found}')
    entries = []
    homes: dict[str, str] = {}
    for kind, stanzas in file.tables.items():
        if kind not in KINDS:
            hint = did_you_mean(kind, KINDS) or f" Known: {', '.join(KINDS)}."
            file.note(f"unknown kind {kind!r}.{hint}", kind)
        elif not isinstance(stanzas, dict):
            file.note(f"expected tables [{kind}.KEY]", kind)
        else:
            for key, stanza in stanzas.items():
                if homes.setdefault(key, kind) != kind:
                    file.note(f"the key {key!r} is a {homes[key]}'s already", kind, key)
                if _check(kind, key, stanza, file):
                    entries.append(_entry(kind, key, stanza, origin=origin, prefix=prefix))
    file.report()
    return entries


def _check(kind: str, key: str, stanza: Any, file: TomlFile) -> bool:
    """Note what is wrong with one stanza; True if an entry can be made of it."""
    before = len(file.mistakes)
    if not is_name(key):
        file.note(f"key {key!r}: expected {KEY_RULE}", kind, key)
    if not isinstance(stanza, dict):
        file.note(f"expected a table [{kind}.{key}]", kind, key)
        return False
    known = {**FIELDS, **_SHAPES, **FACTS[kind]}
    for name, value in stanza.items():
        if name not in known:
            hint = did_you_mean(name, known) or f" Known: {', '.join(known)}."
            file.note(f"unknown field {name!r}.{hint}", kind, key, name)
        elif not _fits(value, known[name]):
            expected, found = _TYPES[known[name]], type(value).__name__
            file.note(f"{name}: expected {expected}, got {found}", kind, key, name)
        elif isinstance(value, str) and not (value and value.isprintable()):
            file.note(f"{name}: expected one line of text, got {value!r}", kind, key, name)
    missing = [name for name in REQUIRED if name not in stanza]
    if missing:
        file.note(f"missing: {', '.join(missing)}", kind, key)
    target = stanza.get("entry", "")
    if isinstance(target, str) and target and not _TARGET.fullmatch(target):
        file.note(f'entry: expected "package.module:Class", got {target!r}', kind, key, "entry")
    defaults = stanza.get("defaults", {})
    for name in GIVEN[kind]:
        if isinstance(defaults, dict) and name in defaults:
            file.note(f"defaults: {name!r} is given by the pipeline", kind, key, "defaults")
    return len(file.mistakes) == before


def _fits(value: Any, expected: Any) -> bool:
    if get_origin(expected) is list:
        (kind,) = get_args(expected)
        return isinstance(value, list) and all(_fits(item, kind) for item in value)
    return isinstance(value, expected) and not isinstance(value, bool)


def _entry(
    kind: str, key: str, stanza: dict[str, Any], *, origin: str, prefix: str | None
) -> Entry:
    return Entry(
        kind=kind,
        key=f"{prefix}/{key}" if prefix else key,
        target=stanza["entry"],
        summary=stanza["summary"],
        licence=stanza["licence"],
        origin=origin,
        paper=stanza.get("paper"),
        requires=tuple(stanza.get("requires", ())),
        facts={name: stanza[name] for name in (*_SHAPES, *FACTS[kind]) if name in stanza},
        defaults=stanza.get("defaults", {}),
    )
