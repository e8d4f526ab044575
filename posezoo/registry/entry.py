"""One entry of the zoo: what it says of itself, and how it is loaded, checked and built.

A constructor's signature is its schema: keyword-only, typed, no **kwargs. Nothing is imported
before `load`, so that a listing costs nothing and a broken plugin breaks nothing but itself.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from posezoo.hints import did_you_mean
from posezoo.registry import values
from posezoo.registry.errors import PluginError, SpecError
from posezoo.registry.loading import import_target, missing_module

KINDS = ("backbone", "head", "lifter", "detector", "strategy", "dataset")

# What a pipeline gives a constructor; a user cannot set these.
GIVEN = {
    "backbone": (),
    "head": ("features", "num_joints"),
    "lifter": ("skeleton",),
    "detector": (),
    "strategy": (),
    "dataset": (),
}
# What it gives to a constructor that asks for it.
ASKED = {"head": ("skeleton",)}
# What the program gives unless the user has.
OFFERED = {"dataset": ("split", "image_size", "pictures", "seed")}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of an entry's constructor."""

    name: str
    annotation: Any
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A backbone, head, lifter, detector, strategy or dataset that can be named in a spec."""

    kind: str
    key: str
    target: str  # "module:Class" or "module:function"
    summary: str
    licence: str  # of this implementation; weights carry their own
    origin: str  # the distribution or file that it came from
    paper: str | None = None
    requires: tuple[str, ...] = ()  # what pip must install for it, beside its distribution
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)
    defaults: Mapping[str, Any] = field(default_factory=dict, hash=False)
    constructor: Callable[..., Any] | None = field(default=None, repr=False, compare=False)

    def load(self) -> Callable[..., Any]:
        """Import the class or function behind this entry.

        Raises:
            PluginError: it cannot be imported; the message names its origin and the cause.
        """
        if self.constructor is not None:
            return self.constructor
        return import_target(self.target, entry=str(self), requires=self.requires)

    def signature(self) -> dict[str, Parameter]:
        """Every argument of the constructor, with the manifest's defaults put in.

        Raises:
            PluginError: an argument is not keyword-only or not typed, or a type is unknown.
        """
        target = self.load()
        annotated = target.__init__ if inspect.isclass(target) else target
        try:
            hints = typing.get_type_hints(annotated, include_extras=True)
        except NameError as error:
            raise PluginError(
                f"{self}: a type in the signature of {self.target} is not known at run time "
                f"({error}); import it outside `if TYPE_CHECKING`"
            ) from error
        found = {}
        for name, argument in inspect.signature(target).parameters.items():
            if argument.kind is not inspect.Parameter.KEYWORD_ONLY or name not in hints:
                raise PluginError(
                    f"{self}: argument {str(argument)!r} of {self.target}: expected keyword-only "
                    "arguments with types and no **kwargs, as in def __init__(self, *, width: int)"
                )
            default = self.defaults.get(name, argument.default)
            found[name] = Parameter(name, hints[name], default)
        self._refuse_kind(found, {n for names in GIVEN.values() for n in names if n in found})
        return found

    def parameters(self) -> dict[str, Parameter]:
        """The arguments that a user may set."""
        given = (*GIVEN[self.kind], *ASKED.get(self.kind, ()))
        return {name: p for name, p in self.signature().items() if name not in given}

    def validate(self, params: Mapping[str, Any], *, complete: bool = True) -> dict[str, Any]:
        """Turn a user's parameters, text or not, into values of the constructor's types.

        Raises:
            SpecError: names that do not exist, values that do not fit and, if `complete`,
                required ones missing: every mistake in one message.
        """
        known = self.parameters()
        optional = OFFERED.get(self.kind, ()) if complete else known
        return self._bind(known, params, optional)

    def build(self, **arguments: Any) -> Any:
        """Construct the entry from the pipeline's arguments and the user's, text or not.

        Raises:
            SpecError: the arguments do not fit the constructor; every mistake in one message.
            PluginError: the entry cannot be imported.
        """
        known = self.signature()
        unasked = {name for name in ASKED.get(self.kind, ()) if name not in known}
        arguments = {name: value for name, value in arguments.items() if name not in unasked}
        self._refuse_kind(known, {name for name in self._expected if name in arguments})
        bound = self._bind(known, {**self.defaults, **arguments})
        try:
            return self.load()(**bound)
        except ModuleNotFoundError as error:  # imported where it is used, as optional ones should
            raise PluginError(missing_module(str(self), error, self.requires)) from error

    def __str__(self) -> str:
        return f"{self.kind} '{self.key}' ({self.origin})"

    @property
    def _expected(self) -> tuple[str, ...]:
        """What the program gives to every entry of this kind."""
        return (*GIVEN[self.kind], *OFFERED.get(self.kind, ()))

    def _refuse_kind(self, found: Collection[str], given: Collection[str]) -> None:
        """Refuse what takes another kind's arguments, or not those that its own kind is given."""
        taken = (*self._expected, *ASKED.get(self.kind, ()))
        if all(name in found and name in taken for name in given):
            return
        fits = [kind for kind in KINDS if GIVEN[kind] and {*GIVEN[kind]} <= {*found}]
        hint = f"; it looks like a {fits[0]}: [{fits[0]}.KEY]" if fits else ""
        raise PluginError(
            f"{self}: {self.target} takes ({', '.join(found)}), expected "
            f"({', '.join((*self._expected, '...'))}) of a {self.kind}{hint}"
        )

    def _bind(
        self,
        known: Mapping[str, Parameter],
        arguments: Mapping[str, Any],
        optional: Collection[str] = (),
    ) -> dict[str, Any]:
        bound, mistakes = {}, []
        for name, value in arguments.items():
            if name not in known:
                mistakes.append(self._unknown(name, known))
                continue
            try:
                bound[name] = values.convert(known[name].annotation, value)
            except ValueError as error:
                mistakes.append(f"{name}: {error}")
        for name, parameter in known.items():
            if parameter.required and name not in arguments and name not in optional:
                expected = values.describe(parameter.annotation)
                mistakes.append(f"{name}=... is missing: expected {expected}")
        if mistakes:
            raise SpecError([f"{self.kind} '{self.key}': {mistake}" for mistake in mistakes])
        return bound

    def _unknown(self, name: str, known: Mapping[str, Parameter]) -> str:
        if name in (*GIVEN[self.kind], *ASKED.get(self.kind, ())):
            return f"'{name}' is given by the pipeline and cannot be set"
        hint = did_you_mean(name, known) or f" Known: {', '.join(known) or 'none'}."
        return f"unknown parameter '{name}'.{hint} See: posezoo info {self.key}"
