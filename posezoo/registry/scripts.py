"""Entries from a script or a notebook: `@register`, and the files that `--plugin` names."""

from __future__ import annotations

import importlib.util
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from posezoo.hints import did_you_mean
from posezoo.registry import catalog
from posezoo.registry.entry import KINDS, Entry
from posezoo.registry.errors import PluginError, SpecError
from posezoo.registry.loading import IMPORT_FAILURES, cause
from posezoo.registry.spec import KEY_RULE, is_key

_C = TypeVar("_C", bound=Callable[..., Any])


def register(
    kind: str,
    key: str,
    *,
    summary: str,
    licence: str,
    paper: str | None = None,
) -> Callable[[_C], _C]:
    """Enter a class or function into the zoo, from a script or a notebook.

    Running the same cell again replaces what it registered before.

    Raises:
        SpecError: an unknown kind, or a key that breaks the grammar.
        PluginError: the key is taken; the message names both origins.
    """
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f" Known: {', '.join(KINDS)}."
        raise SpecError(f"register: unknown kind {kind!r}.{hint}")
    if not is_key(key):
        raise SpecError(f"register: key {key!r}: expected {KEY_RULE}")

    def enter(target: _C) -> _C:
        module = target.__module__
        catalog.add(
            Entry(
                kind=kind,
                key=key,
                target=f"{module}:{target.__qualname__}",
                summary=summary,
                licence=licence,
                # A notebook's module has no file.
                origin=getattr(sys.modules.get(module), "__file__", None) or module,
                paper=paper,
                constructor=target,
            )
        )
        return target

    return enter


def load_plugin_file(path: str | Path) -> list[Entry]:
    """Run a Python file and return the entries that it registers. A file is run once.

    Raises:
        PluginError: the file is missing, fails, or registers nothing.
    """
    file = Path(path).resolve()
    name = f"posezoo_plugin_{file.stem}_{zlib.crc32(str(file).encode()):08x}"
    if name not in sys.modules:
        _run(file, name)
    found = _registered_by(name)
    if not found:
        raise PluginError(f"{file} registers nothing; decorate a class with @posezoo.register(...)")
    return found


def _run(file: Path, name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise PluginError(f"{file}: expected a Python file that uses @posezoo.register")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except IMPORT_FAILURES as error:
        catalog.discard(_registered_by(name))
        del sys.modules[name]
        raise PluginError(f"{file} failed: {cause(error)}") from error


def _registered_by(module: str) -> list[Entry]:
    return [entry for entry in catalog.entries() if entry.target.partition(":")[0] == module]
