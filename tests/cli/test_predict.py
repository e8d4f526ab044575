"""`posezoo predict` as a user types it, on painted people and a plugin's detector."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PLUGIN = Path(__file__).parents[1] / "inference" / "painted.py"


@pytest.fixture
def predict(invoke, painted, tmp_path):
    """Call the command with a run of the lifter `standing`, and people found by `marks`."""
    run = painted.save_standing(tmp_path / "standing")

    def call(*args, out=tmp_path / "out", **options):
        given = ["--plugin", PLUGIN, "--pipeline", run, "--detector", "marks", "--no-png"]
        return invoke("predict", *args, "--out", out, *given)

    return call


def test_a_picture_becomes_the_json_that_scripts_rely_on(predict, painted, tmp_path):
    photo = painted.save_photo(tmp_path / "photo.png", [(100, 50, 3000), (-700, 0, 4000)])
    result = predict(photo, "--focal", 700)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "photo.json").read_text())
    assert found["source"] == str(photo)
    assert (found["width"], found["height"], found["pipeline"]) == (640, 480, "marks+standing")
    camera = found["camera"]
    assert [camera[key] for key in ("fx", "fy", "cx", "cy")] == [700, 700, 319.5, 239.5]
    assert camera["assumed"] is False
    near, far = found["people"]
    assert (near["id"], far["id"]) == (0, 1)
    assert near["joint_set"] == near["detected"]["joint_set"] == "h36m17"
    np.testing.assert_allclose(near["joints3d_mm"], painted.POSE_MM, atol=1e-4)
    np.testing.assert_allclose(near["root_mm"], (100, 50, 3000), atol=1)
    np.testing.assert_allclose(far["root_mm"], (-700, 0, 4000), atol=1)
    np.testing.assert_allclose(
        near["joints2d_px"], painted.project((100, 50, 3000)), atol=0.01
    )
