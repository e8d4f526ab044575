"""What the registry raises."""

from __future__ import annotations

from collections.abc import Sequence


class SpecError(ValueError):
    """A key, a spec or a parameter that cannot be used. One message holds every mistake found."""

    def __init__(self, mistakes: str | Sequence[str]) -> None:
        self.mistakes = (mistakes,) if isinstance(mistakes, str) else tuple(mistakes)
        super().__init__("; ".join(self.mistakes))


class ManifestError(ValueError):
    """A registry.toml that cannot be used. The message names the file and, if it can, the line."""


class PluginError(ValueError):
    """An entry or a plugin that is broken. The message names where it came from and why."""
