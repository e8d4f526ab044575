"""The grammar of pipelines and nodes: text to a spec and back, exactly.

    pipeline := backbone "-" head [ "+" lifter ]  |  detector [ "+" lifter ]  |  lifter
    node     := key [ "." tag ] [ ":" name "=" value { "," name "=" value } ]
    key      := [ plugin "/" ] a lower-case letter, then lower-case letters, digits, "_"
    value    := any characters but ","  |  '"' any characters, a quote in them doubled '"'

In a pipeline "-" and "+" separate nodes; inside parameters only where a letter follows, so that
`lr=1e-4` is safe. A node by itself (a strategy, a dataset) keeps them in its values: paths too.
Between double quotes everything belongs to the value: `store:path="a,b.h5"`.
The grammar knows no entries and reads a node alone as a lifter; the catalog knows detectors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from string import ascii_letters
from typing import NoReturn

from posezoo.registry.errors import SpecError
from posezoo.registry.values import to_text

KEY_RULE = "lower-case letters, digits and '_', a letter first"

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_KEY = re.compile(rf"(?:{_NAME.pattern}/)?{_NAME.pattern}")
_TAG = re.compile(r"[a-z0-9_]+")
_HEAD = re.compile(rf"({_KEY.pattern})(?:\.({_TAG.pattern}))?")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SEPARATOR_IN_VALUE = re.compile(r"[-+][A-Za-z]")
_QUOTED = re.compile(r'="(?:[^"]|"")*"')
_BESIDE = " + "  # between several nodes
_EXCERPT = 40  # characters shown on each side of a mistake
_PIPELINE_RULE = (
    "a pipeline is backbone-head+lifter, backbone-head, detector+lifter, or a detector or lifter "
    "alone"
)


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node: a key, a tag, and parameters as they were written."""

    key: str
    tag: str | None = None
    params: dict[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not is_key(self.key):
            raise SpecError(f"key {self.key!r}: expected {KEY_RULE}")
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise SpecError(f"tag {self.tag!r}: expected lower-case letters, digits and '_'")
        for name, value in self.params.items():
            if not _PARAMETER.fullmatch(name):
                raise SpecError(f"{self.key}: {name!r} cannot be the name of a parameter")
            if flaw := _flaw(value):
                raise SpecError(f"{self.key}: {name}={value!r}: {flaw}")

    def __str__(self) -> str:
        """The canonical text: parameters in the order of their names."""
        return self.text()

    def text(self, *, in_pipeline: bool = False) -> str:
        """The canonical text; `in_pipeline`: as it stands between other nodes."""
        tag = f".{self.tag}" if self.tag else ""
        params = ",".join(
            f"{name}={_as_value(value, in_pipeline)}" for name, value in sorted(self.params.items())
        )
        return f"{self.key}{tag}:{params}" if params else f"{self.key}{tag}"

    def with_params(self, **params: object) -> NodeSpec:
        """A copy with these parameters set; values are written as a user would type them."""
        return replace(self, params=self.params | {n: to_text(v) for n, v in params.items()})


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """A backbone and head or a detector, then a lifter or none; or a lifter alone, of 2D joints."""

    backbone: NodeSpec | None = None
    head: NodeSpec | None = None
    lifter: NodeSpec | None = None
    detector: NodeSpec | None = None

    def __post_init__(self) -> None:
        twice = self.detector is not None and self.backbone is not None
        if (self.backbone is None) != (self.head is None) or twice or not self.nodes:
            given = ", ".join(self.nodes) or "nothing"
            raise SpecError(f"{_PIPELINE_RULE}; got {given}")

    @property
    def nodes(self) -> dict[str, NodeSpec]:
        """The nodes that are there, by kind, in the order of the data."""
        parts = {
            "detector": self.detector,
            "backbone": self.backbone,
            "head": self.head,
            "lifter": self.lifter,
        }
        return {kind: node for kind, node in parts.items() if node is not None}

    @property
    def alone(self) -> NodeSpec | None:
        """The only node, if there is one only."""
        (first, *others) = self.nodes.values()
        return None if others else first

    def __str__(self) -> str:
        """The canonical text; parsing it gives this spec again."""
        texts = {kind: node.text(in_pipeline=True) for kind, node in self.nodes.items()}
        lifter = texts.pop("lifter", "")
        return "+".join(part for part in ("-".join(texts.values()), lifter) if part)


def parse_node(text: str) -> NodeSpec:
    """Read one node, such as `multitask:lambda_2d=0.01` or `mocap:path=/data/my-poses.h5`.

    Raises:
        SpecError: the text breaks the grammar; the message marks the place with '^'.
    """
    return _node(text, 0, len(text))


def parse_pipeline(text: str) -> PipelineSpec:
    """Read a pipeline, such as `resnet50-hm:decode=soft+martinez:width=2048`.

    Raises:
        SpecError: the text breaks the grammar; the message marks the place with '^'.
    """
    cuts = _separators(text)
    nodes = [_node(text, start, end) for start, end in _between(text, cuts)]
    signs = "".join(text[cut] for cut in cuts)
    if signs == "+":
        return PipelineSpec(detector=nodes[0], lifter=nodes[1])
    for place, cut in enumerate(cuts):
        if not "-+".startswith(signs[: place + 1]):
            _fail(text, cut, f"unexpected {text[cut]!r}: {_PIPELINE_RULE}")
    return PipelineSpec(*nodes) if cuts else PipelineSpec(lifter=nodes[0])


def split_nodes(text: str) -> list[str]:
    """The nodes of a text that has " + " between them, as in `mix`."""
    masked, nodes, start = _masked(text), [], 0
    while text:
        end = masked.find(_BESIDE, start)
        nodes.append(text[start : len(text) if end < 0 else end].strip())
        if end < 0:
            break
        start = end + len(_BESIDE)
    return nodes


def is_key(text: str) -> bool:
    """Whether the text is a key, with or without a plugin's prefix."""
    return _KEY.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether the text is a key, or a plugin's name, without a prefix."""
    return _NAME.fullmatch(text) is not None


def cut_at_signs(text: str) -> list[str]:
    """The nodes of a pipeline as they are written, be they right or wrong."""
    return [text[start:end] for start, end in _between(text, _separators(text))]


def _between(text: str, cuts: list[int]) -> list[tuple[int, int]]:
    return [*zip([0, *(i + 1 for i in cuts)], [*cuts, len(text)], strict=True)]


def _separators(text: str) -> list[int]:
    cuts, in_params = [], False
    text = _masked(text)
    for i, sign in enumerate(text):
        if sign == ":":
            in_params = True
        elif sign in "-+" and (not in_params or _starts_with_letter(text[i + 1 : i + 2])):
            cuts.append(i)
            in_params = False
    return cuts


def _starts_with_letter(text: str) -> bool:
    return text != "" and text[0] in ascii_letters


def _node(text: str, start: int, end: int) -> NodeSpec:
    head = _HEAD.match(text, start, end)
    typed = re.split("[:.]", text[start:end])[0]
    if typed != typed.lower() and is_key(typed.lower()):
        _fail(text, start, f"a key is {KEY_RULE}: write '{typed.lower()}'")
    if head is None:
        _fail(text, start, f"expected a key: {KEY_RULE}")
    place = head.end()
    if place < end and text[place] != ":":
        _fail(text, place, f"unexpected {text[place]!r} after {head[0]!r} (a key is {KEY_RULE})")
    params: dict[str, str] = {}
    if place < end:
        for masked in _masked(text[place + 1 : end]).split(","):
            place += 1
            item = text[place : place + len(masked)]
            name, equals, value = item.partition("=")
            if not equals or not _PARAMETER.fullmatch(name):
                hint = ' (a value with "," in it goes between quotes: name="a,b")' if params else ""
                _fail(text, place, f"expected name=value, got {item!r}{hint}")
            if name in params:
                _fail(text, place, f"{name!r} is written twice")
            if flaw := _flaw(value):
                _fail(text, place, f"{name}={value!r}: {flaw}")
            if value.startswith('"'):
                if not _QUOTED.fullmatch(f"={value}"):
                    _fail(text, place, f"{name}={value}: expected one closing quote, at its end")
                value = value[1:-1].replace('""', '"')
            params[name] = value
            place += len(item)
    return NodeSpec(head[1], head[2], params)


def _flaw(value: str) -> str | None:
    """What is wrong with a parameter's text, if anything."""
    return None if value.isprintable() else "a value cannot hold control characters"


def _as_value(value: str, in_pipeline: bool) -> str:
    """The value as it is written: between quotes where it would be taken apart."""
    apart = "," in value or _BESIDE in value or value.startswith('"')
    if apart or (in_pipeline and _SEPARATOR_IN_VALUE.search(value)) or _QUOTED.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def _masked(text: str) -> str:
    """As long as the text, with "_" for each character of a quoted value."""
    return _QUOTED.sub(lambda found: "=" + "_" * (len(found[0]) - 1), text)


def _fail(text: str, place: int, message: str) -> NoReturn:
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    before, after = text[:place], text[place:]
    before = before if len(before) <= _EXCERPT else "..." + before[-_EXCERPT:]
    after = after if len(after) <= _EXCERPT else after[:_EXCERPT] + "..."
    raise SpecError(f"{message}, at character {place + 1}: {before}^{after}")
