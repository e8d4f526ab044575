import json
import math

import pytest
import torch
from PIL import Image

from posezoo.inference.lens import Lens, read_camera
from posezoo.inference.picture import read_picture

SIZE = {"width": 640, "height": 480}


def numbers(lens, **facts):
    camera = lens.camera(**SIZE | facts)
    return camera.parameters.tolist(), camera.guessed


def test_without_a_word_it_is_1_2_times_the_longer_side_and_says_so():
    (fx, fy, cx, cy, *rest), assumed = numbers(Lens())
    assert (fx, fy, cx, cy) == (768, 768, 319.5, 239.5)
    assert rest == [0, 0, 0, 0, 0, 0] and assumed


def test_a_field_of_view_is_from_left_to_right():
    (fx, *_), assumed = numbers(Lens(fov_deg=90))
    assert fx == pytest.approx(320) and not assumed
    (fx, *_), _ = numbers(Lens(fov_deg=90), width=480, height=640)
    assert fx == pytest.approx(240)


def test_what_the_user_says_wins_over_exif():
    assert numbers(Lens(focal_px=500), exif_focal_px=700)[0][0] == 500
    assert numbers(Lens(), exif_focal_px=700)[0][0] == 700
    assert not numbers(Lens(), exif_focal_px=700)[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"focal_px": 0}, "expected px above 0"),
        ({"focal_px": float("nan")}, "expected px above 0"),
        ({"fov_deg": 180}, "below 180"),
        ({"focal_px": 500, "fov_deg": 50}, "not several"),
    ],
)
def test_numbers_that_no_camera_has_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Lens(**given)


def photo(tmp_path, size=(640, 480), **tags):
    """A JPEG with these tags: EXIF's numbers by their names in `names`."""
    names = {
        "equivalent_mm": 0xA405,
        "focal_mm": 0x920A,
        "per_unit": 0xA20E,
        "unit": 0xA210,
        "taken_px": 0xA002,
        "turn": 0x0112,
    }
    exif = Image.Exif()
    for name, value in tags.items():
        (exif if name == "turn" else exif.get_ifd(0x8769))[names[name]] = value
    path = tmp_path / "photo.jpg"
    Image.new("RGB", size).save(path, exif=exif)
    return read_picture(path)


def test_the_35_mm_equivalent_compares_diagonals(tmp_path):
    picture = photo(tmp_path, equivalent_mm=28)
    assert picture.focal_px == pytest.approx(28 * 800 / math.hypot(36, 24))


def test_a_turned_picture_has_the_same_focal_length(tmp_path):
    picture = photo(tmp_path, equivalent_mm=28, turn=6)
    assert (picture.width, picture.height) == (480, 640)
    assert picture.focal_px == pytest.approx(28 * 800 / math.hypot(36, 24))


def test_focal_length_and_focal_plane_tell_it_too(tmp_path):
    """6400 px taken at 200 px a mm by 8 mm are 1600 px; resized to 640 they are 160... of 6400."""
    per_inch = photo(tmp_path, focal_mm=8.0, per_unit=200 * 25.4, unit=2, taken_px=6400)
    assert per_inch.focal_px == pytest.approx(160)
    per_cm = photo(tmp_path, focal_mm=40.0, per_unit=200 * 10.0, unit=3, taken_px=6400)
    assert per_cm.focal_px == pytest.approx(800)


@pytest.mark.parametrize(
    "tags", [{}, {"equivalent_mm": 0}, {"focal_mm": 5.0}, {"equivalent_mm": 9000}]
)
def test_exif_that_says_nothing_or_nonsense_is_no_camera(tmp_path, tags):
    assert photo(tmp_path, **tags).focal_px is None


LENS = [-0.2, 0.24, 0.0, -1e-3, 2e-3]
CAMERA = {"fx": 1100, "fy": 1101, "cx": 512, "cy": 515, "distortion": LENS}


def test_a_camera_file_in_json_and_in_toml(tmp_path):
    as_json, as_toml = tmp_path / "camera.json", tmp_path / "camera.toml"
    as_json.write_text(json.dumps(CAMERA))
    as_toml.write_text("\n".join(f"{key} = {value}" for key, value in CAMERA.items()))
    for path in (as_json, as_toml):
        parameters, assumed = numbers(Lens(file=read_camera(str(path))))
        assert parameters == [1100, 1101, 512, 515, -0.2, 0.24, 0.0, -1e-3, 2e-3, 2.0]
        assert not assumed


def test_a_prediction_s_own_json_is_a_camera_file(tmp_path):
    path = tmp_path / "photo.json"
    path.write_text(json.dumps({"width": 640, "height": 480, "people": [], "camera": CAMERA}))
    (fx, *_, factor), assumed = numbers(Lens(file=read_camera(str(path))))
    assert (fx, factor, assumed) == (1100, 2, False)
    guess = CAMERA | {"distortion": [0.0] * 5, "assumed": True}
    path.write_text(json.dumps({"width": 640, "height": 480, "people": [], "camera": guess}))
    (fx, *_, factor), assumed = numbers(Lens(file=read_camera(str(path))))
    assert (fx, factor, assumed) == (1100, 0, True)


def test_a_resized_picture_has_the_resized_camera(tmp_path):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(CAMERA | {"width": 1280, "height": 960}))
    camera = Lens(file=read_camera(str(path))).camera(**SIZE)
    whole = read_camera(str(path)).camera
    rays = torch.tensor([[0.1, -0.2], [0.3, 0.2]], dtype=torch.float64)
    expected = (whole.from_rays(rays) + 0.5) / 2 - 0.5  # edges at half px shrink to half
    torch.testing.assert_close(camera.from_rays(rays), expected)
    with pytest.raises(ValueError, match="is cropped"):
        Lens(file=read_camera(str(path))).camera(width=640, height=640)


def test_one_camera_of_a_file_of_many_is_chosen_by_name(tmp_path):
    lens = {"width": 1000, "height": 1002, "fy": 1143, "cx": 512, "cy": 515}
    turn = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    place = {"R_world_to_camera": turn, "position_mm": [0, -5000, 1500]}
    content = {
        "intrinsics": [
            lens | {"id": name, "fx": fx, "distortion_k1_k2_p1_p2_k3": [-0.2, 0.25, 1e-3, 2e-3, 0]}
            for name, fx in (("front", 1145), ("side", 1149))
        ],
        "extrinsics": {"S1": [place | {"id": "front"}, place | {"id": "side"}]},
    }
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps(content))
    camera = read_camera(f"{path}#side")
    assert camera.camera.parameters.tolist() == [
        1149, 1143, 512, 515, -0.2, 0.25, 0, 1e-3, 2e-3, 1
    ]  # fmt: skip
    assert camera.size_px == (1000, 1002)
    with pytest.raises(ValueError, match="holds the cameras front, side; choose one by"):
        read_camera(str(path))
    with pytest.raises(ValueError, match="no camera top"):
        read_camera(f"{path}#top")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cut or damaged, not JSON"),
        ("[]", "is a list of 0, expected an object"),
        ('{"fx": 1}', "expected fx, fy"),
        (json.dumps(CAMERA | {"fx": -3}), "fx is -3, expected a number > 0"),
        (json.dumps(CAMERA | {"distortion": [1, 2]}), "k1, k2, k3, p1, p2"),
        (json.dumps(CAMERA | {"tangential_factor": 3}), "expected 1 or 2"),
        ("\xff\xfe", "not UTF-8 at byte 0"),
    ],
)
def test_a_file_that_is_no_camera_is_one_line(tmp_path, content, words):
    path = tmp_path / "camera.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match="camera") as error:
        read_camera(str(path))
    assert words in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValueError, match="no such camera file"):
        read_camera(str(tmp_path / "none.json"))
