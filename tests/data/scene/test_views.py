import json
import math

import numpy as np
import pytest
import torch

from posezoo.camera import world_to_camera
from posezoo.data.scene.views import Rig, place

INDEX = np.arange(5000)


def lens():
    return {
        "id": "a",
        "width": 1000,
        "height": 1002,
        "fx": 1000.0,
        "fy": 1100.0,
        "cx": 500.0,
        "cy": 490.0,
        "distortion_k1_k2_p1_p2_k3": [-0.2, 0.3, 0.01, 0.02, 0.05],
    }


def camera_at(position, forward):
    """A level camera's stand: x right, y down, z forward; world z up."""
    x, y = forward
    rotation = [[y, -x, 0.0], [0.0, 0.0, -1.0], [x, y, 0.0]]
    return {"id": "a", "R_world_to_camera": rotation, "position_mm": position}


def write(tmp_path, **content):
    path = tmp_path / "cameras.json"
    two = [camera_at([0.0, -5000.0, 1500.0], (0, 1)), camera_at([-4000.0, 0.0, 1500.0], (1, 0))]
    path.write_text(json.dumps({"intrinsics": [lens()], "extrinsics": {"S1": two}} | content))
    return path


@pytest.mark.parametrize(("content", "factor"), [({}, 1), ({"tangential_factor": 2}, 2)])
def test_a_listed_camera_projects_as_computed_by_hand(tmp_path, content, factor):
    views = Rig.from_file(write(tmp_path, **content)).cameras
    point = torch.tensor([[[500.0, 0.0, 1000.0]]], dtype=torch.float64)
    seen = world_to_camera(point, views.rotation[:1], views.position_mm[:1])
    assert seen.tolist() == [[[500.0, 500.0, 5000.0]]]  # right of, below and before the camera
    x = y = 0.1
    r2 = 0.02
    gain = 1 - 0.2 * r2 + 0.3 * r2**2 + 0.05 * r2**3 + factor * (0.01 * y + 0.02 * x)
    expected = (1000 * (x * gain + 0.02 * r2) + 500, 1100 * (y * gain + 0.01 * r2) + 490)
    np.testing.assert_allclose(views.camera[:1].project(seen)[0, 0], expected, atol=1e-9)


def test_the_room_of_listed_cameras_has_its_middle_where_they_look(tmp_path):
    stands = [
        camera_at([100.0, -4800.0, 1500.0], (0, 1)),
        camera_at([-3900.0, 200.0, 1400.0], (1, 0)),
    ]
    views = Rig.from_file(write(tmp_path, extrinsics={"S1": stands})).cameras
    assert views.position_mm.round().tolist() == [[0, -5000, 1500], [-4000, 0, 1400]]
    assert views.size_px.tolist() == [[1000, 1002]] * 2


def test_every_listed_camera_has_its_turn(tmp_path):
    x = Rig.from_file(write(tmp_path)).draw(0, INDEX).position_mm[:, 0]
    assert 2300 < int((x == 0).sum()) < 2700


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"extrinsics": {"S1": [camera_at([0, 0, 0], (0, 2))]}}, "expected a number <= 1.001"),
        (
            {"extrinsics": {"S1": [camera_at([0, 0, 0], (0, 0.5))]}},
            "R_world_to_camera of S1 is not",
        ),
        (
            {"extrinsics": {"S1": [camera_at([0, 0, 0], (0, 1)) | {"id": "b"}]}},
            "`intrinsics` has no camera b",
        ),
        ({"intrinsics": [{"id": "a"}]}, "intrinsics.0. lacks fx"),
        ({"intrinsics": [lens() | {"fx": math.nan}]}, "it holds NaN, which is no number"),
        ({"extrinsics": {"S1": [camera_at([0, math.inf, 0], (0, 1))]}}, "it holds Infinity"),
        ({"extrinsics": {}}, "names no camera"),
        ({"intrinsics": 3}, "intrinsics is 3, expected a list"),
    ],
)
def test_a_wrong_camera_file_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        Rig.from_file(write(tmp_path, **content))


def test_a_camera_among_the_people_is_refused(tmp_path):
    rig = Rig.from_file(write(tmp_path))
    rig.check_room(3900)
    with pytest.raises(ValueError, match="lies 4000 mm before a camera, but people reach 4100"):
        rig.check_room(4100)


def test_a_camera_that_looks_away_is_refused(tmp_path):
    away = [camera_at([0.0, -5000.0, 0.0], (0, -1)), camera_at([-4000.0, 0.0, 0.0], (-1, 0))]
    with pytest.raises(ValueError, match="lies -5000 mm before a camera"):
        Rig.from_file(write(tmp_path, extrinsics={"S1": away})).check_room(1000)


def test_studio_cameras_keep_their_distance_from_people():
    Rig.studio().check_room(3900)


def test_a_missing_camera_file_is_named():
    with pytest.raises(ValueError, match=r"nowhere\.json: no such camera file"):
        Rig.from_file("nowhere.json")


def test_studio_cameras_stand_upright_around_the_middle_and_look_at_it():
    views = Rig.studio().draw(0, INDEX)
    distance = views.position_mm[:, :2].norm(dim=-1)
    assert 4000 <= distance.min() < 4010
    assert 5990 < distance.max() <= 6000
    assert views.position_mm[:, :2].mean(0).abs().max() < 300
    middle = torch.tensor([[0.0, 0.0, 900.0]], dtype=torch.float64).expand(5000, 1, 3)
    above = middle + torch.tensor([0.0, 0.0, 500.0])
    px = [
        views.camera.project(world_to_camera(point, views.rotation, views.position_mm))[:, 0]
        for point in (middle, above)
    ]
    assert (px[0] - 500).abs().max() < 120
    assert (px[1] - px[0])[:, 1].max() < -80  # up in the world is up in the picture
    identity = views.rotation @ views.rotation.transpose(1, 2)
    assert (identity - torch.eye(3)).abs().max() < 1e-12
    assert (torch.linalg.det(views.rotation) > 0.99).all()


def test_a_placed_person_stays_the_same_person_on_the_same_floor():
    clip = torch.randn(5000, 2, 17, 3, dtype=torch.float64) * 400 + 3000
    placed = place(clip, 0, INDEX)
    distances = [
        (c[..., None, :] - c[..., None, :, :]).norm(dim=-1) for c in (clip[:9], placed[:9])
    ]
    assert (distances[0] - distances[1]).abs().max() < 1e-9
    assert torch.equal(placed[..., 2], clip[..., 2])
    handed = [torch.linalg.det(c[:, 0, 1:4] - c[:, 0, :1]).sign() for c in (clip, placed)]
    assert torch.equal(*handed)


def test_places_fill_the_disc_and_turns_the_circle():
    clip = torch.zeros(5000, 1, 2, 3, dtype=torch.float64)
    clip[:, :, 1, 0] = 100.0
    placed = place(clip, 0, INDEX, radius_mm=1000.0)[:, 0]
    distance = placed[:, 0].norm(dim=-1)
    assert 990 < distance.max() <= 1000
    assert abs((distance**2).mean() - 500_000) < 20_000  # half the radius squared
    arm = placed[:, 1] - placed[:, 0]
    yaw = torch.atan2(arm[:, 1], arm[:, 0])
    counts = torch.histc(yaw, 10, -math.pi, math.pi)
    assert (counts - 500).abs().max() < 100


def test_held_cameras_look_from_anywhere_at_the_middle_of_the_room():
    views = Rig.held().draw(0, INDEX)
    forward = views.rotation[:, 2].numpy()
    pitch = np.degrees(np.arcsin(-forward[:, 2]))
    assert -14 < pitch.min() < -8
    assert 33 < pitch.max() < 39
    level = np.stack([forward[:, 1], -forward[:, 0]], -1)
    level /= np.linalg.norm(level, axis=-1, keepdims=True)
    right = views.rotation[:, 0].numpy()
    roll = np.degrees(np.arccos((right[:, :2] * level).sum(-1).clip(-1, 1)))
    assert np.sqrt(np.square(roll).mean()) == pytest.approx(12, rel=0.05)
    distance = views.position_mm[:, :2].norm(dim=-1)
    assert 3200 <= distance.min() < 3300
    assert 7900 < distance.max() <= 8000
    Rig.held().check_room(2100)


def test_any_camera_sees_the_person_from_one_to_twelve_metres_from_all_pitches():
    """About a root 900 mm high: from 1 to 12 m, looking up and down, and off the middle."""
    at = torch.tensor([300.0, -200.0, 900.0], dtype=torch.float64).expand(len(INDEX), 3)
    views = Rig(invented="any").draw(0, INDEX, at)
    distance = (at - views.position_mm).norm(dim=-1)
    assert 990 < distance.min() < 1050 and 11500 < distance.max() < 12100
    assert views.position_mm[:, 2].min() >= 100
    down = torch.rad2deg(torch.asin((views.position_mm - at)[:, 2] / distance))
    assert down.max() > 70 and down.min() < -25 and down.median().abs() < 8
    seen = world_to_camera(at[:, None], views.rotation, views.position_mm)
    assert (seen[..., 2] > 0.5 * distance[:, None]).all()
    aside = (seen[:, 0, :2] / seen[:, 0, 2:] * views.camera.focal / 500).abs()
    assert 0.8 < aside.max() < 1.3 and aside.median() < 0.4  # of half a picture
    identity = views.rotation @ views.rotation.transpose(-1, -2)
    assert (identity - torch.eye(3).double()).abs().max() < 1e-12
    assert (torch.linalg.det(views.rotation) > 0.999).all()
    tall = 1700 * views.camera.focal[:, 0] / distance / 1000
    assert tall.max() < 1.75  # 1.6, by the distance before a low camera was lifted off the floor
