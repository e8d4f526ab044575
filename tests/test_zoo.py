"""Every entry of registry.toml keeps the promises of its kind. Generated from the manifest."""

from __future__ import annotations

import re

import pytest
import torch

from posezoo import registry
from posezoo.registry import Entry
from posezoo.registry.values import convert, describe, is_known, to_text
from posezoo.skeleton import H36M17

BUILT_INS = [entry for entry in registry.entries() if entry.origin == "posezoo"]
EXPECTED = {  # arguments that the program gives, so every constructor must take them
    **registry.GIVEN,
    "dataset": ("split", "image_size", "seed"),
}


def of_kind(kind: str) -> list[Entry]:
    return [entry for entry in BUILT_INS if entry.kind == kind]


every_entry = pytest.mark.parametrize("entry", BUILT_INS, ids=lambda e: e.key)


@every_entry
def test_the_target_imports_and_its_arguments_are_keyword_only_and_typed(entry: Entry) -> None:
    assert set(EXPECTED[entry.kind]) <= set(entry.signature())


@every_entry
def test_every_parameter_can_be_written_as_text(entry: Entry) -> None:
    for name, parameter in entry.parameters().items():
        annotation = parameter.annotation
        assert is_known(annotation), f"{entry}: {name}: {annotation} has no text"
        if not parameter.required:
            text = to_text(parameter.default)
            assert convert(annotation, text) == parameter.default, f"{name}={text}"
            assert convert(annotation, parameter.default) == parameter.default
        assert describe(annotation)


@every_entry
def test_defaults_stated_in_the_manifest_are_the_constructors_own(entry: Entry) -> None:
    from inspect import signature

    own = signature(entry.load()).parameters
    assert {name: own[name].default for name in entry.defaults} == dict(entry.defaults)


@every_entry
def test_summary_and_paper_are_fit_to_print(entry: Entry) -> None:
    assert entry.summary.endswith(".")
    assert len(entry.summary) <= 90
    assert entry.paper is None or re.fullmatch(r"arXiv:\d{4}\.\d{4,5}|doi:10\..+", entry.paper)


@pytest.mark.parametrize("entry", of_kind("backbone"), ids=lambda e: e.key)
def test_a_backbone_has_the_channels_and_strides_that_it_declares(entry: Entry) -> None:
    with torch.device("meta"):
        features = entry.build().features
    assert [f.channels for f in features] == entry.facts["channels"]
    assert [f.stride for f in features] == entry.facts["strides"]


@pytest.mark.parametrize("entry", of_kind("lifter"), ids=lambda e: e.key)
def test_a_lifter_sees_the_frames_that_it_declares(entry: Entry) -> None:
    with torch.device("meta"):
        assert entry.build(skeleton=H36M17).frames == entry.facts["frames"]


@pytest.mark.parametrize(
    "entry", [e for e in BUILT_INS if "example" in e.facts], ids=lambda e: e.key
)
def test_an_example_is_a_pipeline_that_holds_the_entry(entry: Entry) -> None:
    parts = registry.resolve_pipeline(entry.facts["example"])
    assert parts[entry.kind].entry == entry
