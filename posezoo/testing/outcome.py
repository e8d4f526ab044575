"""What a check says: what was found, what was expected, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Result = Literal["passed", "failed", "skipped", "reported"]


class Violation(AssertionError):
    """A broken promise, in the three sentences that its owner needs."""

    def __init__(self, *, found: str, expected: str, advice: str) -> None:
        self.found, self.expected, self.advice = found, expected, advice
        super().__init__(f"found {found}; expected {expected}. {advice}")


class NotApplicable(Exception):
    """The check has nothing to look at; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: a function of the entry under test that returns a note or raises `Violation`."""

    function: Callable[..., str | None]
    essential: bool = False  # nothing else can be checked where this fails
    required: bool = True  # False: a failure is reported, and breaks nothing

    @property
    def name(self) -> str:
        """The promise in words: the function's name."""
        return self.function.__name__.replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one check of one entry."""

    entry: str
    check: str
    result: Result
    note: str = ""  # what was measured, why it was skipped, or the whole message of a failure
    found: str = ""
    expected: str = ""
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
