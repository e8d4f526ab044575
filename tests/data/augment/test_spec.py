from __future__ import annotations

import pytest

from posezoo.data.augment import CHANGES, parse_augment
from posezoo.data.augment.framing import Mirror, Roll, Zoom
from posezoo.data.augment.occlusion import Occlude
from posezoo.skeleton import H36M17


def test_a_text_is_a_list_of_changes_in_its_order():
    read = parse_augment("mirror+roll:degrees=10+zoom:factor=1.1,chance=0.25+mirror", H36M17)
    assert read.changes == (
        Mirror(),
        Roll(degrees=10),
        Zoom(factor=1.1, chance=0.25),
        Mirror(),
    )


def test_a_plus_inside_a_number_separates_nothing():
    assert parse_augment("roll:degrees=1e+1", H36M17).changes == (Roll(degrees=10),)


def test_a_count_is_a_whole_number():
    assert parse_augment("occlude:count=3", H36M17).changes == (Occlude(count=3),)
    with pytest.raises(ValueError, match=r"count is '2.5', expected a whole number"):
        parse_augment("occlude:count=2.5", H36M17)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("miror", r"no such change. Did you mean 'mirror'\? Known: mirror, roll"),
        ("", "no such change. Known: mirror"),
        ("roll:degree=3", r"no parameter 'degree'. Did you mean 'degrees'\? It has: degrees"),
        ("aim:degrees=3", "no parameter 'degrees'. It has: none"),
        ("roll:degrees", "degrees is '', expected a number"),
        ("roll:degrees=many", "degrees is 'many', expected a number"),
        ("roll:degrees=nan", "degrees is nan, expected 0 to 180"),
        ("roll:degrees=200", "degrees is 200.0, expected 0 to 180"),
        ("zoom:factor=0.5", "factor is 0.5, expected 1 to 16"),
        ("roll:degrees=3,degrees=4", "'degrees' is written twice"),
        ("mirror:chance=2,", "no parameter ''"),
    ],
)
def test_a_mistake_says_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        parse_augment(text, H36M17)


def test_all_mistakes_are_told_together():
    with pytest.raises(ValueError, match=r"miror: no such change.*; roll: degrees is -1"):
        parse_augment("miror+zoom+roll:degrees=-1", H36M17)


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_can_be_written_by_its_name_alone(name):
    (change,) = parse_augment(name, H36M17).changes
    assert change == CHANGES[name]()
