"""One decorator for a plugin's own tests: `@conformance("lifter", "acme/graphlift")`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from posezoo import registry
from posezoo.registry import SpecError
from posezoo.testing.outcome import Check
from posezoo.testing.run import checks_of, run_check, subject_of
from posezoo.testing.subject import Subject

if TYPE_CHECKING:
    import pytest


def conformance(*kind_and_entry: str, plugin: str | Path | None = None) -> pytest.MarkDecorator:
    """Run a test once for each check of an entry; the test takes `check` and calls it.

        @conformance("lifter", "acme/graphlift:width=32")
        def test_graphlift(check):
            check()

    A violation fails the test in its own words; what does not apply is skipped with the reason.

    Args:
        *kind_and_entry: the entry with parameters if it needs them, with or without its kind first.
        plugin: a file that registers it, where it is not installed.

    Raises:
        ValueError: no such entry, or parameters that do not fit.
    """
    import pytest  # noqa: PLC0415 - only tests need it

    if len(kind_and_entry) not in (1, 2):
        raise SpecError(f"conformance{kind_and_entry}: expected a kind and an entry, or an entry")
    *kind, entry = kind_and_entry
    if plugin is not None:
        registry.load_plugin_file(plugin)
    subject = subject_of(entry, kind=kind[0] if kind else None)
    checks = checks_of(subject.entry.kind)
    return pytest.mark.parametrize(
        "check", [_call(subject, check) for check in checks], ids=[c.name for c in checks]
    )


def _call(subject: Subject, check: Check) -> Callable[[], None]:
    def call() -> None:
        import pytest  # noqa: PLC0415

        outcome = run_check(subject, check)
        if outcome.result == "failed":
            pytest.fail(f"{outcome.entry}: {outcome.check}: {outcome.note}", pytrace=False)
        if outcome.result in ("skipped", "reported"):
            pytest.skip(outcome.note)

    return call
