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

from posezoo.hints import shown
from posezoo.registry.entry import Entry
from posezoo.registry.errors import ManifestError
from posezoo.registry.manifest import read_manifest
from posezoo.registry.spec import is_name

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "posezoo.registry"
_MOST = 1_000_000  # bytes of an entry_points.txt


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin that could not be read: the distribution that brings it, and why."""

    origin: str
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


def installed_entries() -> tuple[list[Entry], list[Problem]]:
    """The entries of every installed plugin, and the plugins that could not be read."""
    entries: list[Entry] = []
    found: list[Problem] = []
    every: dict[str, list[EntryPoint]] = {}  # by name: the first on the path is what is imported
    for folder in _distributions():
        try:
            points = _points(folder)
            name = points[0].dist.name if points and points[0].dist else ""
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            # What importlib.metadata raises on files that are not as pip writes them.
            why = f"its entry_points.txt or METADATA is damaged ({shown(error, 100)})"
            found.append(Problem(shown(folder.stem), why))
            continue
        every.setdefault(name, points)
    plugins = [point for points in every.values() for point in points]
    for point in sorted(plugins, key=lambda point: (point.name, point.value)):
        origin = _origin(point)
        try:
            if not is_name(point.name):
                name = shown(point.name)
                raise ManifestError(f"'{name}' cannot be a plugin's name (as in acme/key)")
            entries += read_manifest(_manifest_of(point), origin=origin, prefix=point.name)
        except ManifestError as error:
            found.append(Problem(origin, shown(error, 1000)))
    return entries, found


def _distributions() -> list[Path]:
    """The metadata of those that name the group; a search, nothing is parsed."""
    name, found = GROUP.encode(), []
    for folder in sys.path:
        for suffix in ("dist", "egg"):
            for file in sorted(Path(folder or ".").glob(f"*.{suffix}-info/entry_points.txt")):
                try:
                    if name in file.read_bytes()[:_MOST]:
                        found.append(file.parent)
                except OSError:  # a folder, or not ours to read
                    continue
    return found


def _points(folder: Path) -> list[EntryPoint]:
    from importlib.metadata import Distribution  # noqa: PLC0415 - 20 ms that most listings save

    return [*Distribution.at(folder).entry_points.select(group=GROUP)]


def _origin(point: EntryPoint) -> str:
    return shown(f"{point.dist.name} {point.dist.version}" if point.dist else point.value)


def _manifest_of(point: EntryPoint) -> Path:
    """The registry.toml of the package that an entry point names; no line of it is run."""
    parts = point.value.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ManifestError(f"{GROUP} = '{shown(point.value)}': expected the name of a package")
    try:
        # Of a top-level name only: to find a dotted one, Python imports its parents.
        spec = importlib.util.find_spec(parts[0])
    except (ImportError, ValueError) as error:
        raise ManifestError(f"package '{shown(parts[0])}' cannot be found: {error}") from error
    if spec is None:
        raise ManifestError(f"package '{shown(parts[0])}' is not installed")
    for folder in spec.submodule_search_locations or ():
        if (path := Path(folder, *parts[1:], "registry.toml")).is_file():
            return path
    raise ManifestError(
        f"'{shown(point.value)}' is no package that ships a registry.toml; put one beside its "
        "__init__.py"
    )
