"""Checks a class of a test's own as if it stood in a manifest."""

import pytest

from posezoo.registry import Entry
from posezoo.testing import run_checks
from posezoo.testing.run import checks_of, run_check, subject_of


def entry(kind, target, *, summary="An entry of a test.", licence="MIT", **facts):
    return Entry(
        kind=kind,
        key="mine",
        target=f"{target.__module__}:{target.__qualname__}",
        summary=summary,
        licence=licence,
        origin="a test",
        facts=facts,
        constructor=target,
    )


@pytest.fixture(scope="session")
def outcomes():
    def check(kind, target, **card):
        return run_checks(entry(kind, target, **card))

    return check


@pytest.fixture(scope="session")
def failures():
    """The checks that fail, and their messages; compilers are left out, which take longest."""

    def check(kind, target, **card):
        subject, found = subject_of(entry(kind, target, **card)), {}
        for each in checks_of(kind):
            if each.required and (outcome := run_check(subject, each)).result == "failed":
                found[each.name] = outcome.note
                if each.essential:
                    break
        return found

    return check


@pytest.fixture(scope="session")
def only_failure(failures):
    """The message of the one check that fails."""

    def check(kind, target, *, of, **card):
        found = failures(kind, target, **card)
        assert [*found] == [of], found
        return found[of]

    return check
