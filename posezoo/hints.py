"""What an error says of a word that nobody knows: near ones, and all there are."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence with the nearest of the known words, led by a space; empty if none is near."""
    import difflib  # noqa: PLC0415 - only mistakes pay for it

    near = difflib.get_close_matches(word, sorted(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """The whole message: "unknown WHAT 'WORD'. Did you mean ...? Known: ..."."""
    names = list(known)
    listed = ", ".join(names) or "none"
    return f"unknown {what} '{word}'.{did_you_mean(word, names)} Known: {listed}"
