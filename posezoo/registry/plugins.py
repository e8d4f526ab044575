"""Finds the plugins that are installed, without importing any.

A distribution names a package in the entry-point group `posezoo.registry`, as in
`acme = "acme_pose"`, and that package ships a registry.toml. Its keys become `acme/graphlift`.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posezoo.registry.entry import Entry
from posezoo.registry.errors import ManifestError
from posezoo.registry.manifest import read_manifest
from posezoo.registry.spec import is_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "posezoo.registry"


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin that could not be read: the distribution that brings it, and why."""

    origin: str
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


def installed_entries() -> tuple[list[Entry], list[Problem]]:
    """The entries of every installed plugin, and the plugins that could not be read."""
    if not _any_on_path():
        return [], []
    from importlib.metadata import entry_points  # noqa: PLC0415 - 20 ms that most listings save

    entries: list[Entry] = []
    found: list[Problem] = []
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        try:
            if not is_name(point.name):
                raise ManifestError(f"{point.name!r} cannot be a plugin's name (as in acme/key)")
            entries += read_manifest(_manifest_of(point), origin=origin, prefix=point.name)
        except ManifestError as error:
            found.append(Problem(origin, str(error)))
    return entries, found


def _any_on_path() -> bool:
    """Whether any distribution on the path names the group; a search, nothing is parsed."""
    name = GROUP.encode()
    return any(
        name in file.read_bytes()
        for folder in sys.path
        for suffix in ("dist", "egg")
        for file in Path(folder or ".").glob(f"*.{suffix}-info/entry_points.txt")
    )


def _manifest_of(point: EntryPoint) -> Path:
    """The registry.toml of the package that an entry point names; no line of it is run."""
    parts = point.value.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ManifestError(f"{GROUP} = {point.value!r}: expected the name of a package")
    try:
        # Of a top-level name only: to find a dotted one, Python imports its parents.
        spec = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError) as error:
        raise ManifestError(f"package {parts[0]!r} cannot be found: {error}") from error
    if spec is None:
        raise ManifestError(f"package {parts[0]!r} is not installed")
    for folder in spec.submodule_search_locations or ():
        if (path := Path(folder, *parts[1:], "registry.toml")).is_file():
            return path
    raise ManifestError(
        f"{point.value!r} is no package that ships a registry.toml; put one beside its __init__.py"
    )
