"""What a user names as sources: files, folders, globs, lists and cameras, as a plain list.

Nothing is opened here. Every source has a stem of its own, by which its results are called.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from posezoo.inference import picture, video

Kind = Literal["picture", "video", "camera"]


@dataclass(frozen=True, slots=True)
class Source:
    """One picture, video or camera."""

    name: str  # a path, or the number of a camera
    kind: Kind
    stem: str  # of the files that come of it


def find_sources(given: Sequence[str], lines: Iterable[str] = ()) -> tuple[list[Source], list[str]]:
    """The sources that these words name, each once, and a line on every word that names none.

    Args:
        given: paths, folders (their pictures and videos, not those of folders inside), globs
            ("**" goes into folders), "-" for `lines`, or the number of a camera.
        lines: more of the same.
    """
    names: dict[str, Kind] = {}
    problems = []
    words = [
        word
        for each in given
        for word in ([line.strip() for line in lines] if each == "-" else [each])
    ]
    for word in filter(None, words):
        found = _named(word)
        names.update(dict.fromkeys(found, "picture"))
        if not found:
            problems.append(_nothing(word))
    for name in names:
        names[name] = _kind(name)
    return _with_stems(names), problems


def _named(word: str) -> list[str]:
    path = Path(word)
    if path.is_dir():
        return sorted(str(each) for each in path.iterdir() if _is_known(each) and each.is_file())
    if glob.has_magic(word) and not path.exists():
        inside = path.relative_to(path.anchor)
        found = Path(path.anchor or ".").glob(str(inside))
        return sorted(str(each) for each in found if each.is_file())
    return [word]


def _nothing(word: str) -> str:
    if Path(word).is_dir():
        return f"{word}: holds no pictures and no videos"
    return f"{word}: no file fits it"


def _is_known(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in picture.SUFFIXES | video.SUFFIXES


def _kind(name: str) -> Kind:
    if name.isdecimal() and not Path(name).exists():
        return "camera"
    return "video" if Path(name).suffix.lower() in video.SUFFIXES else "picture"


def _with_stems(names: dict[str, Kind]) -> list[Source]:
    """The file's stem; where two share it, the later is called by its whole name or its folder."""
    taken: set[str] = set()
    sources = []
    for name, kind in names.items():
        path = Path(name)
        choices = [path.stem, path.name, f"{path.parent.name}_{path.name}"]
        choices = [f"camera{name}"] if kind == "camera" else choices
        numbered = (f"{choices[-1]}-{number}" for number in range(2, len(names) + 2))
        stem = next(each for each in (*choices, *numbered) if each.lower() not in taken)
        taken.add(stem.lower())  # some file systems do not tell capitals apart
        sources.append(Source(name, kind, stem))
    return sources
