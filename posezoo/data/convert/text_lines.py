"""Reading a text file word by word, with errors that name file and line.

Old exports hold Latin-1 names in their comments, so that every byte is a letter; new ones begin
with UTF-8's byte order mark, which is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from posezoo.hints import shown

_SHOWN = 6  # words of a wrong line
_LONGEST = 160  # characters of what an error says was found
_MARK = b"\xef\xbb\xbf".decode("latin-1")


class Lines:
    """The words of each line that is neither empty nor a comment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0  # of the line last given, from 1

    def __iter__(self) -> Iterator[list[str]]:
        with self.path.open(encoding="latin-1") as file:
            for self.number, line in enumerate(file, 1):
                words = (line.removeprefix(_MARK) if self.number == 1 else line).split()
                if words and not words[0].startswith("#"):
                    yield words

    def error(self, found: str, expected: str) -> ValueError:
        """An error at the line last given."""
        return ValueError(
            f"{self.path}: line {self.number}: {shown(found, _LONGEST)}; expected {expected}"
        )

    def numbers(self, words: Sequence[str], count: int, what: str) -> list[float]:
        """Exactly so many finite numbers.

        Raises:
            ValueError: anything else.
        """
        try:
            values = list(map(float, words))
        except ValueError:
            values = []
        if len(values) != count or not all(map(math.isfinite, values)):
            wrong = shown(next((word for word in words if not _is_finite(word)), ""), 20)
            found = (
                " ".join(shown(word, 20) for word in words[:_SHOWN])
                + (" ..." if len(words) > _SHOWN else "")
                or "nothing"
            )
            found += f" ({len(words)} words{f', among them {wrong}' if wrong else ''})"
            raise self.error(f"{what}: {found}", f"{count} numbers")
        return values


def _is_finite(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
