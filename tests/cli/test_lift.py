"""`posezoo lift` and `posezoo view` as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest

from posezoo.inference.formats.prediction_json import read_prediction

PLUGIN = Path(__file__).parents[1] / "inference" / "painted.py"


@pytest.fixture
def keypoints(painted, tmp_path):
    """AlphaPose's file of one person who walks to the right through three frames."""
    people = [
        {
            "image_id": f"{n}.jpg",
            "category_id": 1,
            "score": 2.5,
            "idx": 9,
            "keypoints": np.column_stack([painted.project((100 * n, 0, 3000)), np.ones(17)])
            .reshape(-1)
            .tolist(),
        }
        for n in range(3)
    ]
    path = tmp_path / "alphapose-results.json"
    path.write_text(json.dumps(people))
    return path


@pytest.fixture
def lift(invoke, painted, tmp_path):
    run = painted.save_standing(tmp_path / "standing")

    def call(*args):
        common = ("--pipeline", run, "--plugin", PLUGIN, "--out", tmp_path / "out" / "a.json")
        return invoke("lift", *common, *args)

    return call


def test_a_file_of_another_program_becomes_a_prediction_with_all_that_is_asked_for(
    lift, keypoints, painted, tmp_path
):
    pytest.importorskip("plotly")
    size = ("--width", 640, "--height", 480, "--focal", 700, "--fps", 10)
    kinds = ("--csv", "--npz", "--bvh", "--trc", "--html")
    result = lift(keypoints, "--joints", "h36m17", *size, *kinds)
    assert result.exit_code == 0, result.output
    assert "AlphaPose: 3 pictures" in result.output and "exact: pelvis" in result.output
    assert result.output.endswith(f"3 of 3 people lifted; {tmp_path / 'out' / 'a.json'}\n")
    video = read_prediction(tmp_path / "out" / "a.json")
    assert [frame.people[0].id for frame in video.frames] == [9, 9, 9] and video.fps == 10
    for n, frame in enumerate(video.frames):
        np.testing.assert_allclose(frame.people[0].root_mm, (100 * n, 0, 3000), atol=0.01)
        np.testing.assert_allclose(frame.people[0].joints3d, painted.POSE_MM, atol=0.001)
    written = sorted(path.suffix for path in (tmp_path / "out").iterdir())
    assert written == [".bvh", ".csv", ".html", ".json", ".npz", ".trc"]


def test_what_the_file_cannot_tell_is_asked_for(lift, keypoints, tmp_path):
    result = lift(keypoints, "--joints", "h36m17")
    assert result.exit_code == 2 and "give --width PX --height PX" in result.output
    result = lift(keypoints, "--width", 640)
    assert result.exit_code == 2 and "--width and --height go together" in result.output
    result = lift(keypoints, "--width", 640, "--height", 480, "--joints", "h36m18")
    assert result.exit_code == 2 and "unknown joint set 'h36m18'" in result.output
    assert not (tmp_path / "out").exists()


def test_without_anybody_to_lift_the_exit_code_is_1(lift, keypoints, tmp_path):
    people = json.loads(keypoints.read_text())
    for person in people:
        person["keypoints"][6 * 3 + 2] = 0  # an ankle that was not found
    keypoints.write_text(json.dumps(people))
    result = lift(keypoints, "--joints", "h36m17", "--width", 640, "--height", 480)
    assert result.exit_code == 1 and "0 of 3 people lifted" in result.output
    assert (tmp_path / "out" / "a.json").exists()


def test_the_output_must_be_json(invoke, keypoints, tmp_path):
    result = invoke("lift", keypoints, "--out", tmp_path / "a.bvh")
    assert result.exit_code == 2 and "expected a name that ends in .json" in result.output


def test_view_shows_a_run_beside_the_truth(invoke, lifter_run, tmp_path):
    pytest.importorskip("plotly")
    result = invoke("view", lifter_run, "--out", tmp_path / "a.html", "--items", 3)
    assert result.exit_code == 0, result.output
    assert result.output == f"{tmp_path / 'a.html'}: 3 of {lifter_run}\n"
    assert '"has_truth": true' in (tmp_path / "a.html").read_text()


def test_view_says_in_a_line_what_it_cannot_show(invoke, tmp_path):
    result = invoke("view", tmp_path / "none", "--out", tmp_path / "a.html")
    assert result.exit_code == 2 and result.output.count("\n") == 1
