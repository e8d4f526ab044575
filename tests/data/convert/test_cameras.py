import json

import numpy as np
import pytest

from posezoo.data.convert.cameras import (
    camera_stations,
    fit_camera,
    fitted,
    lens_of,
    read_cameras,
    stations_of,
)
from posezoo.data.convert.recipe import Options

VIEW = "54138969"


def test_cameras_stand_where_the_file_says_not_where_a_rig_moves_them(cameras, studio):
    stations = read_cameras(Options(cameras=cameras), "")
    for station in stations["S9"]:
        assert np.abs(station.see(studio.world) - studio.mm(station.name)).max() < 1e-9
        assert station.parameters.tolist() == [*studio.lenses[station.name], 1.0]
        assert station.size_px == (1000, 1002)


def test_a_fitted_camera_projects_as_the_true_one_did(studio):
    mm, px = studio.mm(VIEW).reshape(-1, 3), studio.px(VIEW).reshape(-1, 2)
    parameters, worst = fit_camera(mm, px)
    assert worst < 1e-4
    assert np.abs(parameters[:4] - studio.lenses[VIEW][:4]).max() < 0.5
    assert parameters[9] == 1


def test_without_distortion_the_lens_comes_back_exactly(studio):
    mm, px = studio.mm(VIEW).reshape(-1, 3), studio.px(VIEW, distorted=False).reshape(-1, 2)
    parameters, worst = fit_camera(mm, px)
    assert worst < 1e-9
    assert np.abs(parameters[:4] - studio.lenses[VIEW][:4]).max() < 1e-6
    assert not parameters[4:9].any()


def test_pixels_that_no_camera_makes_are_refused(studio):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no camera projects its 3D onto its 2D"):
        fitted("take", studio.mm(VIEW), studio.px(VIEW) + rng.normal(0, 3, (12, 32, 2)))
    with pytest.raises(ValueError, match="too few poses to find its camera"):
        fitted("take", studio.mm(VIEW)[:2], studio.px(VIEW)[:2])


def test_what_the_camera_file_does_not_have_is_said(cameras, tmp_path):
    stations = read_cameras(Options(cameras=cameras), "")
    with pytest.raises(ValueError, match="no cameras for S5, only for S1, S9"):
        stations_of(stations, "S5")
    with pytest.raises(ValueError, match="no camera left, only 54138969, 60457274"):
        lens_of(stations, "left")
    with pytest.raises(ValueError, match=r"the poses are of the world: give .*--cameras"):
        read_cameras(Options(), "the poses are of the world")
    content = json.loads(cameras.read_text())
    content["extrinsics"]["S1"][0]["R_world_to_camera"][0][0] = 2
    cameras.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="is 2, expected a number <= 1"):
        read_cameras(Options(cameras=cameras), "")


def test_two_cameras_of_one_person_with_one_name_are_refused(cameras):
    content = json.loads(cameras.read_text())
    first = content["extrinsics"]["S1"]
    first[1]["id"] = first[0]["id"]
    cameras.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="two cameras of S1 have one id"):
        camera_stations(cameras)
