import json

import pytest

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


def test_runs_whose_intervals_overlap_the_best_s_are_not_told_from_it(scored):
    best, near = scored("best", 60.0, (57.0, 63.0)), scored("near", 64.0, (62.5, 66.0))
    far = scored("far", 70.0, (68.0, 72.0))
    assert [each.path.name for each in compare([far, near, best]).ties] == ["near"]


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
