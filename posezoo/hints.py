"""What is said of a word: near ones if nobody knows it, and no more of it than can be shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence with the nearest of the known words, led by a space; empty if none is near."""
    import difflib  # noqa: PLC0415 - only mistakes pay for it

    near = difflib.get_close_matches(word, sorted(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """The whole message: "unknown WHAT 'WORD'. Did you mean ...? Known: ..."."""
    names = list(known)
    listed = ", ".join(names) or "none"
    return f"unknown {what} '{shown(word)}'.{did_you_mean(word, names)} Known: {listed}"


def shown(text: object, most: int = 60) -> str:
    """Text from a file as a terminal may have it: control characters escaped, the rest cut off."""
    whole = str(text)
    safe = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in whole[:most]
    )
    return f"{safe}..." if len(whole) > most else safe


@contextmanager
def naming(file: Path, *others: Path) -> Iterator[None]:
    """Have what is refused within name the file, unless it names it or one of the others."""
    try:
        yield
    except ValueError as error:
        if any(str(each) in str(error) for each in (file, *others)):
            raise
        raise ValueError(f"{file}: {shown(error, 500)}") from error


def in_markdown(text: object) -> str:
    """Text in a sentence or a cell of a table: it begins no HTML and no other cell."""
    return shown(text, 2000).replace("<", "&lt;").replace("|", "\\|")
