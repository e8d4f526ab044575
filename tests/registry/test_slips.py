"""Pipelines written with other signs, in another order or case, and the one that was meant."""

import pytest

from posezoo.registry import SpecError, parse_pipeline

MEANT = {
    "resnet50+hm+martinez": "resnet50-hm+martinez",
    "resnet50-hm-martinez": "resnet50-hm+martinez",
    "resnet50_hm+martinez": "resnet50-hm+martinez",
    "resnet50_hm_martinez": "resnet50-hm+martinez",
    "resnet50hmmartinez": "resnet50-hm+martinez",
    "resnet50.hm+martinez": "resnet50-hm+martinez",
    "resnet50/hm+martinez": "resnet50-hm+martinez",
    "resnet50:hm:martinez": "resnet50-hm+martinez",
    "resnet50,hm,martinez": "resnet50-hm+martinez",
    "resnet50 - hm + martinez": "resnet50-hm+martinez",
    "resnet50 hm martinez": "resnet50-hm+martinez",
    "resnet50\u2013hm+martinez": "resnet50-hm+martinez",  # an en dash, as text programs write it
    "resnet50-hm\uff0bmartinez": "resnet50-hm+martinez",  # a full-width plus
    "resnet50-hm+martinez+": "resnet50-hm+martinez",
    "resnet50-hm+": "resnet50-hm",
    "+martinez": "martinez",
    "resnet50--hm+martinez": "resnet50-hm+martinez",
    "resnet50-+martinez": "resnet50-hm+martinez",
    "ResNet-50+HM+Martinez": "resnet50-hm+martinez",
    "martinez+hm-resnet50": "resnet50-hm+martinez",
    "resnet50-martinez": "resnet50-hm+martinez",
    "hm+martinez": "resnet50-hm+martinez",
    "blazepose-semgcn": "blazepose+semgcn",
    "resnet50.imagenet+hm+martinez": "resnet50.imagenet-hm+martinez",
    "resnet50+hm:decode=soft-martinez": "resnet50-hm:decode=soft+martinez",
    "resnet50-hm:k=2e-3-tcn:widths=3x3": "resnet50-hm:k=2e-3+tcn:widths=3x3",
}


@pytest.mark.parametrize("typed", MEANT)
def test_the_answer_names_the_pipeline_that_was_meant(typed: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_pipeline(typed)
    assert str(refused.value).endswith(f"Did you mean {MEANT[typed]}?")
    assert str(parse_pipeline(MEANT[typed])) == MEANT[typed]


@pytest.mark.parametrize(
    "typed",
    [
        "resnet50-hm+semgcn+martinez",  # two lifters: which?
        "resnet50-hm-xyzzy",
        "resnet50+acme/hm+martinez",  # a plugin that is not here is not guessed at
        "blazepose-hm+martinez",
        "multitask-hm+martinez+",
        "resnet50-hm+martinez:width",  # a mistake of another sort
        "ResNet50",  # a part alone, of which a card is shown
    ],
)
def test_what_would_be_a_guess_is_not_said(typed: str) -> None:
    try:
        parse_pipeline(typed)
    except SpecError as refused:
        assert "Did you mean" not in str(refused)
