"""Finds entries: built-ins, installed plugins and scripts in one flat space of keys.

A key names one entry, whatever its kind. `acme/graphlift` is a plugin's; `graphlift` finds it too
while no other entry ends in that name.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from posezoo.hints import did_you_mean
from posezoo.registry import spec as grammar
from posezoo.registry.entry import KINDS, Entry
from posezoo.registry.errors import PluginError, SpecError
from posezoo.registry.manifest import builtin_manifest, read_manifest
from posezoo.registry.plugins import Problem, installed_entries
from posezoo.registry.slips import pipeline_meant
from posezoo.registry.sources import from_source
from posezoo.registry.spec import NodeSpec, PipelineSpec, parse_node

_PLACES = {
    "backbone": "write it before '-', as in {}-hm+martinez",
    "head": "write it after '-', as in resnet50-{}+martinez",
    "lifter": "write it after '+', as in resnet50-hm+{}, or alone",
    "detector": "write it first, before '+', or alone",
    "strategy": "give it to --strategy",
    "dataset": "give it to --data",
}
_A_HEAD = "hm"  # shown to somebody who left it out
_scripts: dict[str, Entry] = {}  # what `add` has added, by key


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry together with the user's parameters, checked and converted."""

    entry: Entry
    params: dict[str, Any]

    def build(self, **given: Any) -> Any:
        """Construct it; the user's parameters win over what the program offers."""
        return self.entry.build(**{**given, **self.params})


def entries(kind: str | None = None, match: str | None = None) -> list[Entry]:
    """Every entry, or those of a kind, or those whose key fits a pattern such as `resnet*`.

    A plugin's key fits by its short name too. Sorted by kind, then by key with numbers in their
    order. Imports no entry.

    Raises:
        SpecError: no such kind.
    """
    if kind is not None:
        _require_kind(kind)
    found = [
        entry
        for entry in _all().values()
        if kind in (None, entry.kind)
        and any(fnmatchcase(name, match or "*") for name in (entry.key, _short(entry.key)))
    ]
    return sorted(found, key=lambda e: (KINDS.index(e.kind), natural(e.key)))


def find(kind: str | None, key: str) -> Entry:
    """The entry of that key; `kind=None` takes any kind.

    Raises:
        SpecError: no such entry, one of another kind, or a short name that several plugins share.
        PluginError: two plugins claim the key.
    """
    if kind is not None:
        _require_kind(kind)
    known = _all()
    names = [key] if key in known else [k for k in known if _short(k) == key]
    if len(names) > 1:
        options = " or ".join(f"'{name}' ({known[name].origin})" for name in sorted(names))
        raise SpecError(f"'{key}' is ambiguous: write {options}")
    entry = known[names[0]] if names else from_source(key)
    if entry is None:
        _refuse_claimed(key)
        raise SpecError(_unknown(kind, key))
    if kind not in (None, entry.kind):
        raise SpecError(
            f"'{key}' is a {entry.kind}, not a {kind}; {_PLACES[entry.kind].format(key)}"
        )
    return entry


def resolve(kind: str, node: NodeSpec | str) -> Choice:
    """Find the entry of a node and check its parameters.

    Raises:
        SpecError: the grammar, the key or parameters are wrong; every mistake in one message.
        PluginError: the entry cannot be imported.
    """
    node = parse_node(node) if isinstance(node, str) else node
    entry = find(kind, node.key)
    if node.tag is None:
        return Choice(entry, entry.validate(node.params))
    if "tag" not in entry.parameters():
        raise SpecError(
            f"'{node.key}.{node.tag}': {kind} '{entry.key}' has no variant of that name"
        )
    return Choice(entry, entry.validate({**node.params, "tag": node.tag}))


def parse_pipeline(text: str) -> PipelineSpec:
    """Read a pipeline; a node alone is a detector if its key is one's, else a lifter.

    Raises:
        SpecError: the text breaks the grammar; the message marks the place with '^'.
    """
    try:
        spec = grammar.parse_pipeline(text)
    except SpecError as error:
        if meant := pipeline_meant(text, _kinds()):
            raise SpecError(f"{error}. Did you mean {meant}?") from None
        raise
    if (alone := spec.alone) is not None and _is_a("detector", alone.key):
        return PipelineSpec(detector=alone)
    if spec.detector is not None:
        _refuse_backbone(spec.detector, spec.lifter)
    misplaced = [n.key for kind, n in spec.nodes.items() if not _is_a(kind, n.key)]
    if misplaced and (meant := pipeline_meant(text, _kinds())):
        if meant.alone is None and meant.nodes.keys() != spec.nodes.keys():
            raise SpecError(f"'{text}' is no pipeline. Did you mean {meant}?")
    return spec


def _kinds() -> dict[str, str]:
    """The kind of every key, and of every short name."""
    return {name: e.kind for e in _all().values() for name in (_short(e.key), e.key)}


def _is_a(kind: str, key: str) -> bool:
    known = [e for e in _all().values() if key in (e.key, _short(e.key))]
    return bool(known) and all(e.kind == kind for e in known)


def _refuse_backbone(first: NodeSpec, lifter: NodeSpec | None) -> None:
    """What stands where a detector should: a backbone without its head, or the two run together."""
    rest = f"+{lifter}" if lifter else ""
    if _is_a("backbone", first.key) and not _is_a("head", first.tag or ""):
        raise SpecError(
            f"'{first.key}' is a backbone, and you left out the head: {first}-{_A_HEAD}{rest} "
            "(others: posezoo list --kind head)"
        )
    cuts = range(1, 0 if _is_a("detector", first.key) else len(first.key))
    halves = [(first.key[:cut], first.key[cut:]) for cut in cuts]
    for backbone, head in halves:
        if _is_a("backbone", backbone) and _is_a("head", head):
            raise SpecError(
                f"unknown detector '{first.key}': '-' stands between backbone and head: "
                f"{backbone}-{NodeSpec(head, first.tag, first.params)}{rest}"
            )


def resolve_pipeline(spec: PipelineSpec | str) -> dict[str, Choice]:
    """Resolve every node of a pipeline, by kind, in the order of the data.

    Raises:
        SpecError: the mistakes of all nodes, in one message.
        PluginError: an entry cannot be imported.
    """
    spec = parse_pipeline(spec) if isinstance(spec, str) else spec
    found: dict[str, Choice] = {}
    mistakes: list[str] = []
    for kind, node in spec.nodes.items():
        try:
            found[kind] = resolve(kind, node)
        except SpecError as error:
            mistakes += error.mistakes
    if mistakes:
        raise SpecError(mistakes)
    return found


def problems() -> list[Problem]:
    """Plugins that could not be read, and keys that two claim; the rest of the zoo works."""
    return [*_installed()[1]]


def refresh() -> None:
    """Read the manifests anew, for a plugin installed while this program runs."""
    _installed.cache_clear()


def add(entry: Entry) -> None:
    """Enter one entry for the life of this program; the same class again replaces the first.

    Raises:
        PluginError: another entry has the key; the message names both origins.
    """
    _refuse_claimed(entry.key)
    other = _all().get(entry.key)
    if other and (other.target, other.origin) != (entry.target, entry.origin):
        raise PluginError(_claimed(entry.key, other.origin, entry.origin))
    _scripts[entry.key] = entry


def discard(found: Iterable[Entry]) -> None:
    """Take back entries that `add` has added."""
    for entry in found:
        _scripts.pop(entry.key, None)


def natural(key: str) -> list[tuple[str, int]]:
    """A key to sort by: resnet18 before resnet101, and both before vit."""
    return [(word, int(n or 0)) for word, n in re.findall(r"(\D+)(\d*)", key)]


def _short(key: str) -> str:
    return key.rpartition("/")[2]


def _all() -> dict[str, Entry]:
    return _installed()[0] | _scripts


@functools.cache
def _installed() -> tuple[dict[str, Entry], list[Problem], dict[str, str]]:
    """Built-ins and plugins by key, what could not be read, and the keys that two plugins claim."""
    known = {e.key: e for e in read_manifest(builtin_manifest(), origin="posezoo")}
    plugins, found = installed_entries()
    claimed: dict[str, str] = {}
    for entry in plugins:
        if entry.key in known:
            claimed[entry.key] = _claimed(entry.key, known[entry.key].origin, entry.origin)
            found.append(Problem(entry.origin, claimed[entry.key]))
        known[entry.key] = entry
    return {key: e for key, e in known.items() if key not in claimed}, found, claimed


def _claimed(key: str, first: str, second: str) -> str:
    return f"the key '{key}' is claimed by both {first} and {second}; remove one of them"


def _refuse_claimed(key: str) -> None:
    if message := _installed()[2].get(key):
        raise PluginError(message)


def _require_kind(kind: str) -> None:
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f" Known: {', '.join(KINDS)}."
        raise SpecError(f"unknown kind '{kind}'.{hint}")


def _unknown(kind: str | None, key: str) -> str:
    plugin, slash, _ = key.partition("/")
    if slash and not any(each.startswith(f"{plugin}/") for each in _all()):
        return (
            f"unknown {kind or 'key'} '{key}': no plugin '{plugin}' is installed here. Install its "
            "package with pip, or name its file: --plugin FILE.py"
        )
    keys = [e.key for e in entries(kind)]
    hint = did_you_mean(key, keys) or did_you_mean(key, [e.key for e in entries()])
    listing = f"posezoo list --kind {kind}" if kind else "posezoo list"
    return f"unknown {kind or 'key'} '{key}'.{hint} See: {listing}"
