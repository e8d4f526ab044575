"""Imports the class or function behind an entry, and says what to do where that fails."""

from __future__ import annotations

import importlib
import shlex
import typing
from collections.abc import Callable, Sequence
from typing import Any

from posezoo.hints import did_you_mean, shown
from posezoo.registry.errors import PluginError

# What running somebody else's module may end in: any error, also of a type of its own, and
# sys.exit(). A KeyboardInterrupt is the user's. The traceback is in `posezoo --debug`.
IMPORT_FAILURES = (Exception, SystemExit)


def import_target(target: str, *, entry: str, requires: Sequence[str]) -> Callable[..., Any]:
    """The class or function `module:Name`; `entry` is who asks, for the messages.

    Raises:
        PluginError: it cannot be imported; the message names the entry's origin and the cause.
    """
    module, _, path = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if f"{module}.".startswith(f"{error.name}."):
            raise PluginError(
                f"{entry}: there is no module '{error.name}'; mend its line entry = \"{target}\""
            ) from error
        raise PluginError(missing_module(entry, error, requires)) from error
    except IMPORT_FAILURES as error:
        raise PluginError(f"{entry} cannot be imported from {target}: {cause(error)}") from error
    for name in path.split("."):
        known = dir(found)
        try:
            found = getattr(found, name)
        except IMPORT_FAILURES as error:  # a module may run code to find a name
            hint = did_you_mean(name, known)
            raise PluginError(
                f"{entry}: {module} has no '{name}'.{hint} Mend its line entry = \"{target}\""
            ) from error
    if not callable(found):
        raise PluginError(f"{entry}: {target} is {found!r}, expected a class or function")
    return typing.cast("Callable[..., Any]", found)


def missing_module(entry: str, error: ModuleNotFoundError, requires: Sequence[str]) -> str:
    """What to install, where somebody else's package is not there."""
    if requires:
        return f"{entry} needs '{error.name}': pip install {shlex.join(requires)}"
    return (
        f"{entry} needs '{error.name}', which is not installed. Install it; its author can name "
        f'it in registry.toml: requires = ["..."]'
    )


def cause(error: BaseException) -> str:
    """The error on one line, with its type."""
    try:
        text = shown(error, 300)
    except IMPORT_FAILURES:  # its own __str__
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
