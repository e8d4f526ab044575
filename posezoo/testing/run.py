"""Runs the checks of one entry: those of every entry, of every network, and of its kind."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import sep
from pathlib import Path
from typing import Any

import torch

from posezoo import registry
from posezoo.registry import Entry, PluginError
from posezoo.registry.loading import IMPORT_FAILURES
from posezoo.testing import backbone, dataset, detector, head, lifter, manifest, network, strategy
from posezoo.testing.outcome import Check, NotApplicable, Outcome, Violation
from posezoo.testing.subject import Subject


@dataclass(frozen=True)
class _Kind:
    subject: Callable[[Entry, Mapping[str, Any]], Subject]
    checks: tuple[Check, ...]


_KINDS = {
    "backbone": _Kind(backbone.subject, (*network.CHECKS, *backbone.CHECKS)),
    "head": _Kind(head.subject, (*network.CHECKS, *head.CHECKS)),
    "lifter": _Kind(lifter.subject, (*network.CHECKS, *lifter.CHECKS)),
    "detector": _Kind(detector.subject, detector.CHECKS),
    "strategy": _Kind(strategy.subject, strategy.CHECKS),
    "dataset": _Kind(dataset.subject, dataset.CHECKS),
}


def run_checks(entry: Entry | str, *, kind: str | None = None) -> list[Outcome]:
    """Check an entry, given as such or as a node such as "martinez:width=64".

    Raises:
        ValueError: no such entry, or parameters that do not fit.
    """
    subject = subject_of(entry, kind=kind)
    outcomes: list[Outcome] = []
    blocked = ""
    for check in checks_of(subject.entry.kind):
        if blocked:
            outcomes.append(_outcome(subject, check, "skipped", note=f"'{blocked}' failed"))
            continue
        outcomes.append(run_check(subject, check))
        if check.essential and outcomes[-1].result == "failed":
            blocked = check.name
    return outcomes


def checks_of(kind: str) -> tuple[Check, ...]:
    """Every check of a kind, in order."""
    return (*manifest.CHECKS, *_KINDS[kind].checks)


def subject_of(entry: Entry | str, *, kind: str | None = None) -> Subject:
    """The entry ready for checks.

    Raises:
        ValueError: no such entry, or parameters that do not fit.
    """
    given: Mapping[str, str] = {}
    if isinstance(entry, str):
        node = registry.parse_node(entry)
        entry, given = registry.find(kind, node.key), node.params
    if not given and "check" in entry.facts:
        given = registry.parse_node(f"{entry.key}:{entry.facts['check']}").params
    try:
        params = entry.validate(given)
    except PluginError:
        params = {}  # the entry cannot be called: the first check says why
    return _KINDS[entry.kind].subject(entry, params)


def run_check(subject: Subject, check: Check) -> Outcome:
    """One check. What the entry's own code raises is a failure, with the place where it did."""
    try:
        with torch.random.fork_rng(devices=[]):
            note = check.function(subject)
    except Violation as violation:
        return _failed(subject, check, violation)
    except NotApplicable as reason:
        return _outcome(subject, check, "skipped", note=str(reason))
    except PluginError as error:
        if subject.entry.requires and isinstance(error.__cause__, ModuleNotFoundError):
            return _outcome(subject, check, "skipped", note=str(error))
        return _failed(subject, check, _unexpected(error))
    except IMPORT_FAILURES as error:
        return _failed(subject, check, _unexpected(error))
    return _outcome(subject, check, "passed", note=note or "")


def _failed(subject: Subject, check: Check, violation: Violation) -> Outcome:
    return Outcome(
        entry=str(subject),
        check=check.name,
        result="failed" if check.required else "reported",
        note=str(violation),
        found=violation.found,
        expected=violation.expected,
        advice=violation.advice,
    )


def _outcome(subject: Subject, check: Check, result: Any, *, note: str) -> Outcome:
    return Outcome(entry=str(subject), check=check.name, result=result, note=note)


def _unexpected(error: BaseException) -> Violation:
    """An error of the entry's own, as a violation: its text, and the last line outside of torch."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f"{sep}torch{sep}" not in f.filename]
    where = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "torch"
    text = " ".join(str(error).split())[:_LONGEST_TEXT]
    return Violation(
        found=f"{type(error).__name__} at {where}: {text}",
        expected="no error",
        advice="Mend that line (posezoo.contracts says what is passed to it).",
    )


_LONGEST_TEXT = 300
