import numpy as np
import pytest

from posezoo.data.people import balanced_items, parts_of_one_person, split_people

CMU = [f"S{number:02}" for number in range(1, 100)]


def test_people_named_for_validation_are_nowhere_else():
    people = ["anna", "ben", "cem"]
    assert split_people(people, "cem/anna", "val") == ("anna", "cem")
    assert split_people(people, "cem/anna", "train") == ("ben",)
    assert split_people(people, "cem/anna", "all") == ("anna", "ben", "cem")


def test_about_a_fifth_is_held_out_whoever_else_is_there():
    held_out = split_people(CMU, "", "val")
    assert len(held_out) == 21
    assert split_people(CMU, "", "train") == tuple(sorted(set(CMU) - set(held_out)))
    assert set(split_people(CMU[:50], "", "val")) == set(held_out) & set(CMU[:50])


def test_names_that_may_be_one_person_of_cmu_stay_together():
    train = split_people(CMU, "", "train")
    assert {"S01", "S16", "S17", "S05", "S49"} <= set(train)


def test_somebody_is_always_held_out():
    assert len(split_people(["S01", "S16"], "", "val")) == 1


def test_people_left_out_are_in_no_split_and_the_others_stay_where_they_were():
    held_out = split_people(CMU, "", "val")
    without = "/".join((held_out[0], "S01"))
    assert split_people(CMU, "", "val", without) == held_out[1:]
    assert not {held_out[0], "S01"} & set(split_people(CMU, "", "all", without))


def test_a_stranger_cannot_be_left_out():
    with pytest.raises(ValueError, match="without names bob; the people are anna/ben"):
        split_people(["anna", "ben"], "", "train", "bob")


@pytest.mark.parametrize(
    ("people", "val", "split", "message"),
    [
        (["anna"], "", "train", "nobody is left for split 'train' of anna; all there is is one"),
        (["anna", "ben"], "bob/ben", "val", "val names bob; the people are anna/ben"),
        (["anna"], "", "test", "split is 'test', expected one of train, val, all"),
    ],
)
def test_a_split_of_nobody_or_of_strangers_is_refused(people, val, split, message):
    with pytest.raises(ValueError, match=message):
        split_people(people, val, split)


@pytest.mark.parametrize(("balance", "shares"), [(0, [100, 4]), (0.5, [100, 20]), (1, [100, 100])])
def test_people_count_as_their_poses_to_a_power_and_no_pose_is_left_out(balance, shares):
    person = np.array(["anna"] * 50 + ["ben"] * 4 + ["anna"] * 50)
    items = balanced_items(person, balance)
    counts = np.bincount(items, minlength=104)
    ben = person == "ben"
    assert [counts[~ben].sum(), counts[ben].sum()] == shares
    assert counts.min() == 1
    assert len(set(counts[ben])) == 1


def test_one_person_is_split_by_sequence_and_what_is_held_out_says_so():
    sequence = np.repeat(["walk", "run", "sit"], 4)
    parts = parts_of_one_person("anna", sequence, np.tile(np.arange(4), 3))
    assert sorted(set(parts)) == ["anna", "anna (held-out sequences)"]
    for name in ("walk", "run", "sit"):
        assert len(set(parts[sequence == name])) == 1


def test_one_sequence_is_split_by_time_with_a_gap_over_all_cameras():
    frame = np.tile(np.arange(100), 2)  # two cameras
    parts = parts_of_one_person("anna", np.zeros(200, int), frame)
    assert set(frame[parts == "anna"]) == set(range(75))
    assert set(frame[parts == ""]) == set(range(75, 80))
    assert set(frame[parts == "anna (last fifth)"]) == set(range(80, 100))


def test_nine_frames_are_one_part():
    assert set(parts_of_one_person("anna", np.zeros(9, int), np.arange(9))) == {"anna"}
