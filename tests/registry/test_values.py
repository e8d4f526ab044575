"""Text to values of the annotated type, and back."""

from pathlib import Path
from typing import Any, Literal, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posezoo.registry.values import choices, convert, describe, is_known, to_text

Decode = Literal["soft", "hard"]


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, "64", 64),
        (int, "-3", -3),
        (float, "1e-4", 1e-4),
        (float, "3", 3.0),
        (bool, "true", True),
        (bool, "false", False),
        (str, "64", "64"),
        (Path, "/data/x.h5", Path("/data/x.h5")),
        (Decode, "soft", "soft"),
        (Literal[3, 4, 6], "4", 4),
        (tuple[int, ...], "4x2", (4, 2)),
        (tuple[int, ...], "4", (4,)),
        (tuple[int, int], "2x8", (2, 8)),
        (tuple[float, ...], "0.5x1e-3", (0.5, 0.001)),
        (int | None, "none", None),
        (int | None, "7", 7),
        (Optional[Decode], "none", None),  # noqa: UP045 - the older form is read too
        (Optional[Decode], "hard", "hard"),  # noqa: UP045
        (int | str, "seven", "seven"),
    ],
)
def test_text_becomes_the_annotated_type(annotation: Any, text: str, value: Any) -> None:
    converted = convert(annotation, text)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, "6.5", "expected int, got '6.5'"),
        (int, "1_000", "expected int"),
        (int, "\u0664", "expected int"),  # an Arabic digit, which int() takes
        (int, "9" * 5000, "expected int"),
        (int, True, "expected int, got 'True'"),
        (int, 6.0, "expected int"),
        (float, "nan", "expected float"),
        (float, "fast", "expected float, got 'fast'"),
        (float, True, "expected float"),
        (bool, "yes", "expected true | false, got 'yes'"),
        (bool, 1, "expected true | false"),
        (str, 5, "expected text"),
        (Decode, "sof", "expected soft | hard, got 'sof'"),
        (Literal[3, 4, 6], "5", "expected 3 | 4 | 6"),
        (tuple[int, ...], "4xx2", "expected ints as 4x2, got '4xx2'"),
        (tuple[int, ...], "4,2", "expected ints as 4x2"),
        (tuple[int, int], "4x2x2", "expected intxint"),
        (tuple[int, ...], 4, "expected ints as 4x2"),
        (int | None, "nothing", "expected int | none"),
    ],
)
def test_what_does_not_fit_says_what_was_expected(
    annotation: Any, value: Any, expected: str
) -> None:
    with pytest.raises(ValueError) as caught:
        convert(annotation, value)
    assert expected in str(caught.value)


def test_values_of_the_right_type_pass_and_toml_lists_become_tuples() -> None:
    assert convert(float, 3) == 3.0
    assert convert(tuple[int, ...], [4, 2]) == (4, 2)
    assert convert(Decode, "hard") == "hard"


def test_what_only_the_program_can_give_passes_as_it_is_but_not_as_text() -> None:
    skeleton = object()
    assert convert(dict[str, int], skeleton) is skeleton
    assert not is_known(dict[str, int])
    with pytest.raises(ValueError, match="cannot be written as text"):
        convert(dict[str, int], "x")


@pytest.mark.parametrize(
    "annotation",
    [int, float, bool, str, Path, None | int, Decode, tuple[int, ...], tuple[float, int]],
)
def test_the_types_that_a_user_can_write_are_known(annotation: Any) -> None:
    assert is_known(annotation)


@pytest.mark.parametrize("annotation", [list[int], tuple[str, ...], Any, int | list[int], object])
def test_other_types_are_not_known(annotation: Any) -> None:
    assert not is_known(annotation)


def test_choices_and_words() -> None:
    assert choices(Decode) == ["soft", "hard"]
    assert choices(int) is None
    assert describe(Decode | None) == "soft | hard | none"


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
    | st.lists(st.integers(-9, 999), min_size=1, max_size=4).map(tuple)
)
def test_what_is_written_is_read_back(value: Any) -> None:
    kind = tuple[int, ...] if isinstance(value, tuple) else type(value)
    assert convert(kind, to_text(value)) == value
