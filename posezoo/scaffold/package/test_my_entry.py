"""acme/my_entry keeps the promises of its kind: the checks of `posezoo check`, one test each."""

from __future__ import annotations

from collections.abc import Callable

from posezoo.testing import conformance


@conformance("acme/my_entry")
def test_contract(check: Callable[[], None]) -> None:
    """Each check is a test of its own."""
    check()
