"""What the registry raises, and how its messages suggest the right word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class SpecError(ValueError):
    """A key, a spec or a parameter that cannot be used. One message holds every mistake found."""

    def __init__(self, mistakes: str | Sequence[str]) -> None:
        self.mistakes = (mistakes,) if isinstance(mistakes, str) else tuple(mistakes)
        super().__init__("; ".join(self.mistakes))


class ManifestError(ValueError):
    """A registry.toml that cannot be used. The message names the file and, if it can, the line."""


class PluginError(ValueError):
    """An entry or a plugin that is broken. The message names where it came from and why."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence with the nearest of the known words, led by a space; empty if none is near."""
    import difflib  # noqa: PLC0415 - only mistakes pay for it

    near = difflib.get_close_matches(word, sorted(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
