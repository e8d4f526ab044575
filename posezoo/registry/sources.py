"""Libraries whose models are entries by their own names, such as `timm/resnet18`.

They stand in no manifest and are never listed: the library is imported when one of its models is
asked for by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from posezoo.hints import did_you_mean
from posezoo.registry.entry import Entry
from posezoo.registry.errors import SpecError
from posezoo.registry.loading import import_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A library, and the module that makes its models entries of one kind.

    The module has `names()` and, under each of those names, a constructor.
    """

    kind: str
    module: str
    requires: tuple[str, ...]
    licence: str
    listing: str  # where a person finds the names
    input: str
    output: str


SOURCES = {
    "timm": Source(
        kind="backbone",
        module="posezoo.backbones.timm_models",
        requires=("posezoo[timm]",),
        licence="Apache-2.0 (code; each set of weights has its own)",
        listing="python -c 'import timm; print(*timm.list_models(), sep=chr(10))'",
        input="(B, 3, H, W) RGB in [0, 1]",
        output="(B, C, H/stride, W/stride)",
    ),
}


def from_source(key: str) -> Entry | None:
    """The entry of that key, if its prefix is a source's name.

    Raises:
        SpecError: the library has no model of that name.
        PluginError: the library is not installed or cannot be imported.
    """
    prefix, _, name = key.partition("/")
    source = SOURCES.get(prefix)
    if source is None:
        return None
    names = import_target(
        f"{source.module}:names", entry=f"{source.kind} '{key}'", requires=source.requires
    )()
    if name not in names:
        hint = did_you_mean(key, [f"{prefix}/{known}" for known in names])
        raise SpecError(
            f"unknown {source.kind} '{key}'.{hint} Write {prefix}/NAME; the names: {source.listing}"
        )
    return Entry(
        kind=source.kind,
        key=key,
        target=f"{source.module}:{name}",
        summary=f"{name} of {prefix}, cut behind a feature map.",
        licence=source.licence,
        origin=prefix,
        requires=source.requires,
        facts={"input": source.input, "output": source.output},
    )
