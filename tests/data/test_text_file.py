import pytest

from posezoo.data.text_file import read_json, read_text, with_ending
from posezoo.hints import shown


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_text(path) == '{"a": 1}'
    assert read_json(path) == {"a": 1}


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": {"b": 1, "c": 2, "b": 3}}')
    with pytest.raises(ValueError, match="the key b stands twice in one object"):
        read_json(path)


def test_endings_in_capitals_are_endings(tmp_path):
    for name in ("b.BVH", "a.bvh", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.bvh").mkdir()
    assert [file.name for file in with_ending(tmp_path.iterdir(), ".bvh")] == ["a.bvh", "b.BVH"]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain, \u00e9", "plain, \u00e9"),
        ("\x1b[2J\r\n\x00", r"\x1b[2J\r\n\x00"),
        ("\x9b31m\u202eabc", r"\x9b31m\u202eabc"),  # a C1 control, and a turn of the direction
        ("\ud800", r"\ud800"),
        ("z" * 61, "z" * 60 + "..."),
    ],
)
def test_what_is_shown_of_a_file_does_nothing_to_a_terminal(text, safe):
    assert shown(text) == safe
