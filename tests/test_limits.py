"""Every setting of a run, an entry or an augmentation says what it may be, and is held to it.

The tables are the fields and signatures themselves: a new setting is a new test.
"""

from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
import torch

from posezoo import registry
from posezoo.data.augment.spec import CHANGES
from posezoo.limits import Length, Range, Width, limits
from posezoo.registry import SpecError, parse_node, parse_pipeline, values
from posezoo.settings import resolve, settable, types_of_settings
from posezoo.testing.run import subject_of
from posezoo.training import runs
from posezoo.training.run_folder import RunFolder

ODD = ("0", "-1", "1", "1e300", "-1e300", "inf", "nan", "1e18", "1000000000000000000", "0.5")
MEANINGLESS = ("-1", "1e300", "-1e300", "inf", "nan", "1e18", "1000000000000000000")
ENTRIES = [e for e in registry.entries() if e.origin == "posezoo" and not e.requires]


def numbers_in(annotation):
    """The number types inside of a type, with their limits."""
    if get_origin(annotation) is Annotated:
        bare = annotation.__origin__
        return [annotation] if bare in (int, float) else numbers_in(bare)
    if annotation in (int, float):
        return [annotation]
    if get_origin(annotation) is tuple or type(None) in get_args(annotation):
        return [found for each in get_args(annotation) for found in numbers_in(each)]
    return []


NUMBERS = [
    pytest.param(entry, name, id=f"{entry.key}-{name}")
    for entry in ENTRIES
    for name, parameter in entry.parameters().items()
    if numbers_in(parameter.annotation)
]
SETTINGS = [name for name in settable() if numbers_in(types_of_settings()[name])]


def test_there_are_so_many_of_them():
    assert len(NUMBERS) > 100 and len(SETTINGS) == 19


@pytest.mark.parametrize(("entry", "name"), NUMBERS)
def test_a_parameter_says_its_limits_and_what_it_takes_can_be_built(entry, name):
    annotation = entry.parameters()[name].annotation
    assert all(limits(number) for number in numbers_in(annotation)), "no limits: posezoo.limits"
    # A file of its own is not at hand.
    needs_one = any(parameter.required for parameter in entry.parameters().values())
    subject = None if needs_one else subject_of(entry)
    for value in ODD:
        try:
            entry.validate({name: value}, complete=False)
        except SpecError as error:
            assert f"{name}: expected " in str(error) and "\n" not in str(error)
            continue
        assert value not in MEANINGLESS
        try:
            with torch.device("meta"):
                if subject is not None:
                    subject.build(**{name: value})
        except ValueError as error:  # with its neighbours it makes no sense
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_says_its_limits_and_what_it_takes_can_be_trained(name, tmp_path):
    small = {"steps": "2", "batch_size": "2", "normalisation_samples": "4", "data.items": "4"}
    for value in ODD:
        out = tmp_path / value
        changes = small | {"eval_samples": "2", name: value}
        known = {"pipeline": parse_pipeline("martinez:width=8"), "device": "cpu", "out": out}
        try:
            run, settings, _ = runs.plan(changes=changes, **known)
        except SpecError as error:
            assert str(error).startswith(f"{name}: expected ") and "\n" not in str(error)
            assert not out.exists()
            continue
        assert value not in MEANINGLESS
        if settings.steps > 2 or settings.eval_every > 2:
            continue
        runs.start(run, settings, device="cpu", workers=0, draw=False)


@pytest.mark.parametrize("name", CHANGES)
def test_an_augmentation_says_its_limits(name):
    for parameter, annotation in get_type_hints(CHANGES[name], include_extras=True).items():
        if annotation is str:  # the name of a joint set
            continue
        assert limits(annotation), parameter
        for number in (-1, 1e300, float("inf"), float("nan")):
            with pytest.raises(ValueError, match=f"{parameter} is .*, expected "):
                CHANGES[name](**{parameter: number})


def test_all_of_a_run_s_wrong_numbers_are_named_at_once_and_no_folder_is_made(tmp_path):
    with pytest.raises(SpecError) as caught:
        runs.plan(
            pipeline=parse_pipeline("martinez:width=0"),
            strategy=parse_node("separate:lifter_share=2"),
            changes={"lr": "inf", "decay_steps": "0", "seed": "-1"},
            out=tmp_path / "a",
            device="cpu",
        )
    assert not (tmp_path / "a").exists()
    for said in (
        "lifter_share: expected float, above 0 to below 1, got '2'",
        "width: expected int, 1 to 16384, got '0'",
        "lr: expected float, 0 to 1000000, got 'inf'",
        "decay_steps: expected int, 1 to 1000000000, got '0'",
        "seed: expected int, 0 to 4294967295, got '-1'",
    ):
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (Annotated[float, Range(0, 1, above=True)], "0", "float, above 0 to 1"),
        (Annotated[float, Range(0, 1, below=True)], "1", "float, 0 to below 1"),
        (Annotated[int, Range(16, 64, or_zero=True)], "15", "int, 0 or 16 to 64"),
        (Width | None, "0", "int, 1 to 16384 | none"),
        (Annotated[int | None, Range(1, 3)], "4", "int, 1 to 3 | none"),
        (tuple[Width, Annotated[int, Range(1, 3)]], "1x4", "int, 1 to 16384 x int, 1 to 3"),
        (
            Annotated[tuple[Annotated[int, Range(1, 3)], ...], Length(1, 2)],
            "1x1x1",
            "ints as 4x2, each 1 to 3, 1 to 2 of them",
        ),
    ],
)
def test_limits_are_read_from_types_and_said_in_words(annotation, text, expected):
    assert values.is_known(annotation)
    with pytest.raises(ValueError) as caught:
        values.convert(annotation, text)
    assert str(caught.value) == f"expected {expected}, got '{text}'"


def test_what_lies_within_is_converted():
    assert values.convert(Annotated[int, Range(16, 64, or_zero=True)], "0") == 0
    assert values.convert(Width | None, "none") is None
    assert values.convert(Width | None, "7") == 7
    assert values.convert(tuple[Width, Width], "4x2") == (4, 2)
    assert values.convert(Annotated[float, Range(0, 1)], 1) == 1.0


@pytest.mark.parametrize("epochs", [0.0, -1.0, 1e300, float("inf"), float("nan")])
def test_epochs_have_limits_too(tmp_path, epochs):
    with pytest.raises(ValueError, match=r"^--epochs: expected float, above 0 to 1000000, got"):
        runs.plan(pipeline=parse_pipeline("martinez"), epochs=epochs, out=tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("warmup = -5.5", "warmup: expected float, 0 to below 1, got '-5.5'"),
        ("lr = inf", "it holds inf, which is no number"),
        ('seed = "0x"', "seed: expected int, 0 to 4294967295, got '0x'"),
    ],
)
def test_a_run_toml_is_held_to_them(tmp_path, line, said):
    settings = resolve(
        pipeline=parse_pipeline("martinez"),
        strategy=parse_node("separate"),
        data=parse_node("synthetic"),
        preset="none",
        changes={},
    )
    with RunFolder(tmp_path).locked():
        RunFolder(tmp_path).start(settings)
    text = (tmp_path / "run.toml").read_text().splitlines()
    name = line.partition(" ")[0]
    changed = [line if each.startswith(f"{name} =") else each for each in text]
    (tmp_path / "run.toml").write_text("\n".join(changed))
    with pytest.raises(ValueError, match=r"run\.toml: ") as caught:
        RunFolder(tmp_path).settings()
    assert str(caught.value) == f"{tmp_path / 'run.toml'}: {said}"
