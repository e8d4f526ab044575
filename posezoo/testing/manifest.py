"""What every entry promises: a signature, a card, a docstring, its kind's members, true facts."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from posezoo import contracts
from posezoo.registry import GIVEN, PluginError
from posezoo.testing.outcome import Check, NotApplicable, Violation
from posezoo.testing.subject import Subject

_LONGEST_SUMMARY = 90
_PASSED_IN = {**GIVEN, "dataset": ("split", "image_size", "pictures", "seed")}
_NO_LICENCE = ("none", "todo", "tbd", "unknown")
_CONTRACTS = {
    each.__name__.lower(): each
    for each in (
        contracts.Backbone,
        contracts.Head,
        contracts.Lifter,
        contracts.Detector,
        contracts.Strategy,
        contracts.Dataset,
    )
}
# What a reader must find in the signature comments or the docstring of a network's forward.
_FORWARD = {
    "backbone": ("(B, 3, H, W)",),
    "head": ("(B, ",),
    "lifter": ("(B, T", "px", "mm"),
}


def signature_is_keyword_only_and_typed(subject: Subject) -> str:
    """A constructor's signature is its schema."""
    try:
        known = subject.entry.signature()
        settable = subject.entry.parameters()
    except PluginError as error:
        raise Violation(
            found=str(error),
            expected="a class or function whose arguments are all keyword-only and typed",
            advice="Write def __init__(self, *, width: int = 8), and no **kwargs: typos must fail.",
        ) from error
    given = _PASSED_IN[subject.entry.kind]
    if missing := [name for name in given if name not in known]:
        raise Violation(
            found=f"no argument {', '.join(missing)}",
            expected=f"{', '.join(given)}, which the program passes to every {subject.entry.kind}",
            advice="Add them to the signature, keyword-only and typed.",
        )
    return f"{len(settable)} parameters"


def summary_and_licence_are_stated(subject: Subject) -> str:
    """What `posezoo list` and `info` print."""
    entry = subject.entry
    if len(entry.summary) > _LONGEST_SUMMARY or not entry.summary.endswith("."):
        raise Violation(
            found=f"a summary of {len(entry.summary)} characters: {entry.summary!r}",
            expected=f"one sentence of at most {_LONGEST_SUMMARY} characters that ends in '.'",
            advice="Shorten `summary`; what is longer belongs in the docstring.",
        )
    if entry.licence.strip().lower() in _NO_LICENCE:
        raise Violation(
            found=f"licence {entry.licence!r}",
            expected="the name of a licence, such as Apache-2.0 or MIT (spdx.org/licenses)",
            advice="Name the licence of the code in `licence`; weights carry their own.",
        )
    return entry.licence


def docstring_states_shapes_and_units(subject: Subject) -> str | None:
    """The class says what it is, its forward what goes in and out."""
    target = subject.entry.load()
    if not target.__doc__:
        raise Violation(
            found=f"no docstring at {subject.entry.target}",
            expected="a docstring that says what the entry is",
            advice='Write """One sentence.""" below its first line.',
        )
    if wanted := _FORWARD.get(subject.entry.kind):
        network = type(subject.build())
        text = _source(network.forward)
        if missing := [words for words in wanted if words not in text]:
            raise Violation(
                found=f"a forward of {network.__name__} that says nowhere {', '.join(missing)}",
                expected="shape and unit of every tensor in the signature's comments or docstring",
                advice="Write them beside the argument: joints2d: Tensor,  # (B, T, J, 2) px",
            )
    return None


def _source(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError) as error:
        raise NotApplicable(f"there is no source to read: {error}") from error


def members_of_its_kind_are_there(subject: Subject) -> str:
    """All that `posezoo.contracts` names; without them nothing else can be asked."""
    part = subject.build()
    contract: type = _CONTRACTS[subject.entry.kind]
    if getattr(part, "output", None) == "joints3d":
        contract = contracts.PoseHead
    members = [*contract.__annotations__, *(n for n, v in vars(contract).items() if _own(v))]
    if missing := [name for name in members if not hasattr(part, name)]:
        raise Violation(
            found=f"no {', no '.join(missing)}",
            expected=f"what every {subject.entry.kind} has: {', '.join(members)}",
            advice=f"See {contract.__name__} in posezoo.contracts; posezoo new writes a small one.",
        )
    return f"{len(members)} members"


def _own(value: Any) -> bool:
    """A method that the contract itself declares, not one that `typing` puts into it."""
    return inspect.isfunction(value) and value.__module__ == contracts.__name__


def manifest_facts_equal_code_facts(subject: Subject) -> str:
    """`posezoo list` says these without importing anything, so they must be true."""
    known = {}
    if subject.inputs is not None:
        # As built without the user's parameters, but for those that an entry cannot do without.
        needed = {n for n, p in subject.entry.parameters().items() if p.required}
        given = {name: value for name, value in subject.params.items() if name in needed}
        with torch.device("meta"):
            known = subject.inputs.facts(subject.entry.build(**subject.given, **given))
    if not known:
        raise NotApplicable(f"a {subject.entry.kind} has no facts in numbers")
    stated = {name: value for name, value in subject.entry.facts.items() if name in known}
    if not stated:
        raise NotApplicable(f"the manifest states none of {', '.join(known)}")
    if wrong := [name for name, value in stated.items() if value != known[name]]:
        raise Violation(
            found=", ".join(f"{name} = {stated[name]}" for name in wrong) + " in the manifest",
            expected=", ".join(f"{name} = {known[name]}" for name in wrong) + ", as in the code",
            advice=f"Correct the stanza of {subject.entry} in its registry.toml.",
        )
    return ", ".join(stated)


CHECKS = (
    Check(signature_is_keyword_only_and_typed, essential=True),
    Check(summary_and_licence_are_stated),
    Check(docstring_states_shapes_and_units),
    Check(members_of_its_kind_are_there, essential=True),
    Check(manifest_facts_equal_code_facts),
)
