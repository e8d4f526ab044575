"""Which pipeline somebody meant who wrote another sign, order or case than the grammar's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from posezoo.registry.spec import NodeSpec, PipelineSpec, cut_at_signs, parse_node

_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_SLOTS = ("backbone", "head", "lifter", "detector")
_USUAL = {"backbone": "resnet50", "head": "hm"}  # for one of the two that is left out
_NEAR = 0.75  # of difflib: nearer than this is a slip of the pen


def pipeline_meant(text: str, kinds: Mapping[str, str]) -> PipelineSpec | None:
    """The pipeline of these keys in their right places; None where that is a guess.

    `kinds` has the kind of every key.
    """
    found: dict[str, NodeSpec] = {}
    for key, rest in _nodes(text, kinds) or ():
        kind = kinds[key]
        if kind in found or kind not in _SLOTS:
            return None
        try:
            found[kind] = parse_node(f"{key}{rest}")
        except ValueError:  # a mistake of another sort
            return None
    seeing = {"backbone", "head"} & found.keys()
    if not found or (seeing and "detector" in found):
        return None
    if len(found) > 1:
        for kind in {*_USUAL} - seeing if seeing else ():
            found[kind] = NodeSpec(_USUAL[kind])
    elif seeing:  # a part alone, of which cards are shown
        return None
    return PipelineSpec(**found)


def _nodes(text: str, kinds: Mapping[str, str]) -> list[tuple[str, str]] | None:
    """Keys, and what is written behind each; None where a word is near to no key."""
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES).strip(" '\"-+")
    plain = re.sub(r"\s*([-+])[-+\s]*", r"\1", plain)
    plain = re.sub(r"[\s,]+(?=[A-Za-z][\w./]*(?:[-+:,\s]|$))|:(?=[\w./]+(?:[-+:]|$))", "-", plain)
    found: list[tuple[str, str]] = []
    pieces = cut_at_signs(plain)
    while pieces:
        word, colon, params = pieces.pop(0).partition(":")
        word = word.lower()
        if pieces and word not in kinds:  # resnet-50
            number, *_ = re.split("[:.]", pieces[0])
            if number.isdecimal() and word + number in kinds:
                pieces[0] = word + pieces[0]
                continue
        own = _keys(word, kinds)
        if own is None:
            return None
        *before, (last, tag) = own
        found += [*before, (last, f"{tag}{colon}{params}")]
    return found


def _keys(word: str, kinds: Mapping[str, str]) -> list[tuple[str, str]] | None:
    """Keys that were run together, the last perhaps with a tag; a key near by, or None."""
    import difflib  # noqa: PLC0415 - only mistakes pay for it

    key, dot, tag = word.partition(".")
    if key in kinds and _together(tag, kinds) is None:
        return [(key, dot + tag)]
    if run := _together(word, kinds):
        return [(each, "") for each in run]
    if "/" in key:  # of a plugin, which is not here
        return None
    near = difflib.get_close_matches(key, kinds, n=1, cutoff=_NEAR)
    return [(near[0], dot + tag)] if near else None


def _together(word: str, kinds: Mapping[str, str]) -> list[str] | None:
    if word in kinds:
        return [word]
    for cut in range(1, len(word)):
        if word[:cut] in kinds and (rest := _together(word[cut:].lstrip("_./"), kinds)):
            return [word[:cut], *rest]
    return None
