import json
import sys
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from posezoo.typed_files import Count, Share, decode, read_tree


class Part(msgspec.Struct):
    name: str
    share: Share = 0.0


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    step: Count
    parts: list[Part] = []
    by_name: dict[str, float] = {}
    pair: Annotated[list[float], Meta(min_length=2, max_length=2)] = []


def write(tmp_path, content, name="a.json"):
    path = tmp_path / name
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "a.json: lacks step"),
        ([], "a.json: is a list of 0, expected an object"),
        ({"step": "3"}, "step is '3', expected a whole number"),
        ({"step": True}, "step is true, expected a whole number"),
        ({"step": -1}, "step is -1, expected a whole number >= 0"),
        ({"step": 1, "parts": [{"name": "a"}, {"name": 5}]}, "parts[1].name is 5, expected text"),
        ({"step": 1, "parts": [{"name": "a", "share": 2}]}, "share is 2, expected a number <= 1.0"),
        ({"step": 1, "parts": [{"name": "\x1b[2J", "share": "\x1b"}]}, r"is '\x1b', expected"),
        ({"step": 1, "by_name": {"a": 1, "b": None}}, "by_name.b is null, expected a number"),
        ({"step": 1, "pair": [1]}, "pair is a list of 1, expected a list of length >= 2"),
        ({"step": 1, "\x1b": 2}, r"a.json: has \x1b, which is not known"),
        ('{"step": 1, "step": 2}', "the key step stands twice in one object"),
        ('{"step": 1e400}', "it holds 1e400, which is no number"),
        ('{"step": NaN}', "it holds NaN, which is no number"),
        ('{"step": ' + "9" * 20 + "}", "it holds 99999999999999999999, which does not fit into 64"),
        ('{"step": ' + "9" * 9000 + "}", "it holds 99999999999999999999..., which does not fit"),
        ("[" * 100_000, "nested too deeply"),
        ('{"step": 1', "cut or damaged, not JSON (Expecting ',' delimiter, line 1, column 11)"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"", "cut or damaged"),
    ],
)
def test_a_wrong_json_says_where_what_and_what_was_expected(tmp_path, content, words):
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match="^" + str(path)) as error:
        decode(path, Whole, expected="a whole")
    assert words in str(error.value)
    assert str(error.value).endswith("; expected a whole")
    assert str(error.value).isprintable() and len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("step = 'x'", "step is 'x', expected a whole number"),
        ("step = inf", "it holds inf, which is no number"),
        ("step = 1e999", "it holds 1e999"),
        ("step = " + "9" * 30, "does not fit into 64 bits"),
        ("step = 2026-01-01", "expected a whole number"),
        ("step =", "cut or damaged, not TOML"),
        ("a = " + "[" * 9000, "nested too deeply"),
        ("a" + ".a" * 20_000 + " = 1", "a line of more than 20000 characters"),
        ("#" + "\n" * 2_000_000, "larger than 1,048,576 bytes"),
    ],
)
def test_a_wrong_toml_too(tmp_path, content, words):
    path = write(tmp_path, content, "a.toml")
    with pytest.raises(ValueError, match="^" + str(path)) as error:
        decode(path, Whole)
    assert words in str(error.value)


def test_the_right_one_is_read(tmp_path):
    content = {"step": 3, "parts": [{"name": "a", "share": 1}], "by_name": {"b": 2}}
    found = decode(write(tmp_path, content), Whole)
    assert found == Whole(step=3, parts=[Part("a", 1.0)], by_name={"b": 2.0})


def test_what_is_larger_than_it_may_be_is_not_read_whole(tmp_path):
    path = write(tmp_path, "[" + "1," * 1000 + "1]")
    with pytest.raises(ValueError, match="larger than 1,000 bytes"):
        read_tree(path, most=1000)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="not a file"):
        read_tree(tmp_path)


def test_python_may_have_no_limit_of_digits(tmp_path):
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(ValueError, match="does not fit into 64 bits"):
            read_tree(write(tmp_path, "9" * 100_000))
    finally:
        sys.set_int_max_str_digits(before)
