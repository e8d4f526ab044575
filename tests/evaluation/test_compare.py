import json

import pytest
import torch

from posezoo.evaluation.bootstrap import Cells
from posezoo.evaluation.compare import compare, read_score
from posezoo.evaluation.protocol import find_protocol

POSES = find_protocol("poses").to_dict()


@pytest.fixture
def scored(tmp_path):
    def make(name, mpjpe, interval=(0, 0), **changes):
        result = {"mpjpe_mm": mpjpe, "error_2d_px": 5.0, "samples": 100, "data": "mocap:path=a"}
        result |= {"interval": {"mpjpe_mm": interval}, "protocol": POSES, **changes}
        run = tmp_path / name
        run.mkdir()
        (run / "eval.json").write_text(json.dumps(result))
        return read_score(run)

    return make


def names(comparison):
    return [score.path.name for score in comparison.scores]


def test_the_smallest_error_comes_first(scored):
    found = compare([scored("b", 80.0), scored("a", 60.0), scored("c", 70.0)])
    assert names(found) == ["a", "c", "b"]
    assert not found.obstacles


def test_without_errors_by_sequence_overlapping_intervals_are_not_significant(scored):
    best, near = scored("best", 60.0, (57.0, 63.0)), scored("near", 64.0, (62.5, 66.0))
    far = scored("far", 70.0, (68.0, 72.0))
    found = compare([far, near, best]).differences
    assert [(d.score.path.name, d.significant) for d in found] == [("near", False), ("far", True)]


def by_sequence(*errors):
    """Errors of that many sequences of one pose and joint each."""
    names = [f"s{k:02}" for k in range(len(errors))]
    cells = Cells.of(torch.tensor(errors)[:, None], names, ["all"] * len(errors))
    return {"mpjpe_mm": cells.to_dict()}


def test_a_small_difference_on_every_sequence_is_significant_though_intervals_overlap(scored):
    hard = [20.0, 60.0, 100.0, 140.0] * 5
    best = scored("best", 80.0, (60, 100), items="a", cells=by_sequence(*hard))
    worse = scored("worse", 82.0, (62, 102), items="a", cells=by_sequence(*(e + 2 for e in hard)))
    (found,) = compare([worse, best]).differences
    assert (found.low, found.high) == pytest.approx((2, 2)) and found.significant
    mixed = [e + (12 if k % 2 else -8) for k, e in enumerate(hard)]  # 2 mm worse in the mean
    unsure = scored("unsure", 82.0, (62, 102), items="a", cells=by_sequence(*mixed))
    (found,) = compare([unsure, best]).differences
    assert found.low < 0 < found.high and not found.significant


def test_the_same_items_are_the_same_data_however_they_are_written(scored):
    one = scored("one", 60.0, data="mocap:balance=0.5,mirror=true,path=a", items="abc")
    two = scored("two", 62.0, data="mocap:path=a", items="abc")
    assert not compare([one, two]).obstacles


def test_the_same_words_for_other_items_are_other_data(scored):
    one, two = scored("one", 60.0, items="abc"), scored("two", 62.0, items="def")
    found = compare([one, two])
    assert "(items abc): one; " in found.obstacles[0] and "(items def): two" in found.obstacles[0]
    assert not found.commands  # the same command would give the same again


def test_a_run_that_was_trained_on_these_people_is_not_ranked(scored):
    knows = scored("knows", 20.0, items="abc", seen_people=["S1", "S5"])
    found = compare([knows, scored("new", 60.0, items="abc", seen_people=[])])
    assert "knows was trained on 2 of the people that it is evaluated on (S1, S5)" in str(
        found.obstacles
    )
    assert names(found) == ["knows", "new"]


def test_no_command_is_shown_where_the_inputs_differ_as_well(scored):
    lifter = scored("lifter", 40.0, ground_truth_inputs=["2D joints"], data="mocap:path=b")
    found = compare([lifter, scored("full", 120.0, ground_truth_inputs=["2D box"])])
    assert len(found.obstacles) == 2 and not found.commands


def test_different_protocols_are_not_ranked(scored, tmp_path):
    actions = find_protocol("actions").to_dict()
    found = compare([scored("b", 80.0), scored("a", 60.0, protocol=actions)])
    assert names(found) == ["b", "a"]  # as they came
    (why,) = found.obstacles
    assert why == f"different protocols: poses ({POSES['hash']}): b; actions ({actions['hash']}): a"
    assert found.commands == (
        f"posezoo eval {tmp_path}/a --data mocap:path=a --protocol poses --json > a-poses.json",
        f"posezoo compare {tmp_path}/b a-poses.json",
    )


def test_one_key_with_two_hashes_is_two_protocols(scored):
    older = {**POSES, "hash": "0123456789"}
    found = compare([scored("old", 80.0, protocol=older), scored("new", 60.0)])
    assert "poses (0123456789): old" in found.obstacles[0]
    assert len(found.commands) == 3  # the first must be evaluated anew as well


def test_a_run_averaged_with_its_mirror_image_is_not_ranked_beside_one_that_is_not(scored):
    found = compare([scored("plain", 60.0), scored("flipped", 58.0, flip=True)])
    assert found.obstacles == ("different averaging: none: plain; with the mirror image: flipped",)


def test_different_data_are_not_ranked(scored):
    other = scored("other", 60.0, data="mocap:path=b")
    assert "different data" in compare([scored("one", 80.0), other]).obstacles[0]
    fewer = scored("fewer", 60.0, samples=99)
    assert "99 poses: fewer" in compare([other, fewer]).obstacles[0]


def test_a_lifter_that_was_given_the_true_joints_is_not_ranked_with_one_that_found_them(scored):
    given, found_itself = ["2D joints", "camera"], ["2D box", "camera"]
    lifter, full = (
        scored("lifter", 40.0, ground_truth_inputs=given),
        scored("full", 120.0, ground_truth_inputs=found_itself),
    )
    found = compare([lifter, full])
    assert "2D joints, camera: lifter; 2D box, camera: full" in found.obstacles[0]
    assert not found.commands  # no evaluation makes them comparable


def test_2d_errors_in_pictures_of_different_sizes_are_not_ranked(tmp_path):
    scores = []
    for size in (64, 256):
        run = tmp_path / f"run{size}"
        run.mkdir()
        result = {"error_2d_px": 5.0, "samples": 9, "data": "x", "protocol": POSES}
        (run / "eval.json").write_text(json.dumps(result))
        (run / "run.toml").write_text(f"[settings]\nimage_size = {size}\n")
        scores.append(read_score(run))
    assert "64, 256" in compare(scores).obstacles[0]
    assert compare([scores[0], scores[0]]).metric == "error_2d_px"


def test_what_is_no_evaluation_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"eval\.json is missing"):
        read_score(tmp_path)
    file = tmp_path / "x.json"
    for text in ("{", "[1]", '{"mpjpe_mm": 3}', '{"protocol": {}, "samples": 1, "data": ""}'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"x\.json"):
            read_score(file)
