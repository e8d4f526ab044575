from dataclasses import fields

import pytest

from posezoo.registry import SpecError, find, parse_node, parse_pipeline
from posezoo.settings import Settings, disagreements, presets, resolve


def settled(pipeline="resnet50-hm+martinez", strategy="multitask", data="synthetic", **changes):
    preset = changes.pop("preset", "laptop")
    return resolve(
        pipeline=parse_pipeline(pipeline),
        strategy=parse_node(strategy),
        data=parse_node(data),
        preset=preset,
        changes={k.replace("__", "."): v for k, v in changes.items()},
    )


def test_set_wins_over_the_spec_which_wins_over_the_preset():
    spec = "martinez:dropout=0.25"
    assert "dropout=0.25" in settled(spec, "separate", preset="lifter").pipeline
    changed = settled(spec, "separate", preset="lifter", lifter__dropout="0.4")
    assert "dropout=0.4" in changed.pipeline


def test_a_preset_s_run_settings_apply_and_flags_win():
    assert settled(preset="report").image_size == 256
    assert settled(preset="report", image_size="128").image_size == 128


@pytest.mark.parametrize(
    ("decode", "decoder"), [("soft", "soft"), ("hard", "argmax"), ("straight_through", "argmax")]
)
def test_the_strategy_sees_to_it_that_the_head_reads_as_the_lifter_was_trained(decode, decoder):
    assert f"decode={decoder}" in settled(strategy=f"multitask:decode={decode}").pipeline


def test_all_mistakes_come_in_one_message():
    with pytest.raises(SpecError) as caught:
        settled(
            "resnet50-hm:sharp=1+martinez:widht=3,blocks=0",
            lr="fast",
            warmup="-5.5",
            stepz="3",
            tail__x="1",
        )
    text = str(caught.value)
    assert "'sharp'" in text
    assert "'widht'. Did you mean 'width'" in text
    assert "lr: expected float, 0 to 1000000, got 'fast'" in text
    assert "warmup: expected float, 0 to below 1, got '-5.5'" in text
    assert "blocks: expected int, 1 to 128, got '0'" in text
    assert "stepz: unknown setting. Did you mean 'steps'" in text
    assert "this run has no 'tail'; it has backbone, head, lifter, strategy, data" in text


@pytest.mark.parametrize(("name", "value"), [("steps", "0"), ("batch_size", "1"), ("lr", "-1")])
def test_numbers_that_cannot_be_meant_are_refused(name, value):
    with pytest.raises(SpecError, match=f"^{name}: expected .*, got '{value}'$"):
        settled(**{name: value})


def test_an_unknown_preset_suggests_a_near_one():
    with pytest.raises(SpecError, match=r"Did you mean 'laptop'"):
        settled(preset="labtop")


@pytest.mark.parametrize("name", presets())
def test_every_preset_s_settings_exist(name):
    """A part's setting is skipped where the part lacks it, so a typo would go unseen."""
    known = {f.name for f in fields(Settings)}
    parts = [("backbone", "resnet50"), ("head", "hm"), ("lifter", "martinez")]
    for part, key in [*parts, ("strategy", "multitask"), ("strategy", "separate")]:
        known |= {f"{part}.{parameter}" for parameter in find(part, key).parameters()}
    for key in ("mocap", "synthetic"):
        known |= {f"data.{parameter}" for parameter in find("dataset", key).parameters()}
    assert presets()[name]["settings"].keys() <= known


def test_a_preset_reaches_the_parts_that_have_its_parameters():
    settings = settled(preset="laptop")
    assert "resnet50:cut=layer2" in settings.pipeline
    assert "strides=2" in settings.pipeline
    assert "loss=mpjpe" in settings.pipeline
    assert "people=60" in settings.data
    assert "decode=soft_detach" in settings.strategy
    assert "people" not in settled(preset="laptop", data="mocap:path=x.h5").data


def disagree(settings, pipeline="resnet50-hm+martinez", **said):
    said = {"strategy": None, "data": None, "preset": None, "changes": {}, **said}
    return disagreements(settings, pipeline=parse_pipeline(pipeline), **said)


def test_to_resume_one_may_repeat_what_one_said_or_leave_it_out():
    settings = settled("resnet50-hm+martinez:dropout=0.25", lr="5e-4")
    assert disagree(settings) == []
    assert disagree(settings, "resnet50-hm+martinez:dropout=0.25", changes={"lr": "0.0005"}) == []


def test_to_resume_with_other_words_is_a_disagreement_by_name():
    settings = settled("resnet50-hm+martinez:dropout=0.25", lr="5e-4")
    assert "lr=0.001, the run has 0.0005" in disagree(settings, changes={"lr": "1e-3"})
    assert len(disagree(settings, "resnet50-hm+martinez:dropout=0.5")) == 1
    assert len(disagree(settings, "resnet18-hm+martinez")) == 1
    assert disagree(settings, "martinez") != []
    assert disagree(settings, strategy=parse_node("separate")) != []
    assert disagree(settings, preset="report") == ["preset report, the run has laptop"]
