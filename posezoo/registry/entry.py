"""One entry of the zoo: what it says of itself, and how it is loaded, checked and built.

A constructor's signature is its schema: keyword-only, typed, no **kwargs. Nothing is imported
before `load`, so that a listing costs nothing and a broken plugin breaks nothing but itself.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from posezoo.registry import values
from posezoo.registry.errors import PluginError, SpecError, did_you_mean

KINDS = ("backbone", "head", "lifter", "strategy", "dataset")

# What a pipeline gives a constructor; a user cannot set these.
GIVEN = {
    "backbone": (),
    "head": ("features", "num_joints"),
    "lifter": ("skeleton",),
    "strategy": (),
    "dataset": (),
}
# What the program gives unless the user has.
OFFERED = {"dataset": ("split", "image_size", "pictures", "seed")}

# What running somebody else's module may end in. Not Exception: a KeyboardInterrupt is the user's,
# and an error type of a plugin's own making deserves its whole traceback.
IMPORT_FAILURES = (
    ImportError,
    SyntaxError,
    AttributeError,
    NameError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AssertionError,
    OSError,
    RuntimeError,
    SystemExit,
)


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
    """A backbone, head, lifter, strategy or dataset that can be named in a spec."""

    kind: str
    key: str
    target: str  # "module:Class" or "module:function"
    summary: str
    licence: str  # of this implementation; weights carry their own
    origin: str  # the distribution or file that it came from
    paper: str | None = None
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
        module, _, path = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for name in path.split("."):
                found = getattr(found, name)
        except IMPORT_FAILURES as error:
            cause = f"{type(error).__name__}: {error}"
            raise PluginError(f"{self} cannot be imported from {self.target}: {cause}") from error
        if not callable(found):
            raise PluginError(f"{self}: {self.target} is {found!r}, expected a class or function")
        return typing.cast("Callable[..., Any]", found)

    def signature(self) -> dict[str, Parameter]:
        """Every argument of the constructor, with the manifest's defaults put in.

        Raises:
            PluginError: an argument is not keyword-only or not typed, or a type is unknown.
        """
        target = self.load()
        annotated = target.__init__ if inspect.isclass(target) else target
        try:
            hints = typing.get_type_hints(annotated)
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
        return found

    def parameters(self) -> dict[str, Parameter]:
        """The arguments that a user may set."""
        given = GIVEN[self.kind]
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
        bound = self._bind(self.signature(), {**self.defaults, **arguments})
        return self.load()(**bound)

    def __str__(self) -> str:
        return f"{self.kind} '{self.key}' ({self.origin})"

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
        if name in GIVEN[self.kind]:
            return f"'{name}' is given by the pipeline and cannot be set"
        hint = did_you_mean(name, known) or f" Known: {', '.join(known) or 'none'}."
        return f"unknown parameter '{name}'.{hint} See: posezoo info {self.key}"
