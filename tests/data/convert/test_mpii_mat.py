"""As MPII's readme lays out its RELEASE, and datumaro's and other loaders read it by scipy."""

import struct
import zlib

import numpy as np
import pytest

from posezoo.data.convert.mpii_mat import people_of_mat
from posezoo.skeleton import SKELETONS

pytest.importorskip("scipy")
from scipy.io import savemat


def structs(items):
    """A row of structs, as MATLAB keeps `a(1), a(2)` whose fields are of any kind."""
    names = list(items[0])
    rows = np.empty((1, len(items)), [(name, object) for name in names])
    for place, item in enumerate(items):
        for name in names:
            rows[0, place][name] = item[name]
    return rows


def person(points):
    point = structs([
        {"x": np.array([[float(x)]]), "y": np.array([[float(y)]]), "id": np.array([[joint]]),
         "is_visible": seen}
        for joint, x, y, seen in points
    ])  # fmt: skip
    return {"scale": np.array([[1.0]]), "annopoints": structs([{"point": point}])}


NONE = {"scale": np.array([[1.0]]), "annopoints": np.empty((0, 0))}
YES, NO, EMPTY = np.array(["1"]), np.array(["0"]), np.empty((0, 0))


@pytest.fixture
def write(tmp_path, save_picture):
    def save(*people, name="015601864.jpg"):
        save_picture(tmp_path / "images" / name, 80, 60)
        image = structs([{"name": name}])
        test = structs([{"image": structs([{"name": "test.jpg"}]), "annorect": np.empty((0, 0))}])
        train = structs([{"image": image, "annorect": structs(list(people))}])
        release = structs([{"annolist": np.concatenate([train, test], 1),
                            "img_train": np.array([[1, 0]])}])  # fmt: skip
        path = tmp_path / "mpii_human_pose_v1_u12_1.mat"
        savemat(path, {"RELEASE": release}, do_compression=True)
        return path

    return save


def test_points_are_placed_by_their_id_and_one_pixel_is_taken(write, convert_to, tmp_path):
    points = [(j, 11 + j, 21.5 + j, EMPTY if j == 9 else NO if j == 3 else YES) for j in range(15)]
    path = write(person(points[::-1]))
    store, report = convert_to("mpii", path, images=tmp_path / "images", joints=SKELETONS["mpii16"])
    assert store["joints2d_px"][0, :15].tolist() == [[10 + j, 20.5 + j] for j in range(15)]
    assert store["labelled2d"][0].tolist() == [1] * 15 + [0]
    assert store["visible"][0].tolist() == [1] * 3 + [0] + [1] * 11 + [0]
    assert store["size_px"].tolist() == [[80, 60]]
    text = "".join(report.lines())
    assert "a picture without anybody marked in it" in text


def test_people_without_points_are_counted(write, convert_to, tmp_path):
    points = [(j, 11 + j, 21 + j, YES) for j in range(16)]
    path = write(person(points), NONE, person(points[:2]))
    _, report = convert_to("mpii", path, images=tmp_path / "images")
    assert report.frames == 2
    assert "dropped 1 frames in 1 pieces: a person without any joint" in report.lines()


def test_wrong_files_are_refused(write, refuses, tmp_path):
    options = {"images": tmp_path / "images"}
    refuses("mpii", write(NONE), "no person can be used", **options)
    refuses(
        "mpii", write(person([(16, 1, 1, YES)])), "has the id 16.0, expected 0 to 15", **options
    )
    path = write(person([(0, 1, 1, YES)]))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refuses("mpii", path, "is cut", **options)
    path.write_bytes(b"MATLAB 7.3" + bytes(200))
    refuses("mpii", path, "not a file of MATLAB 5", **options)


def test_a_bomb_is_refused_before_it_is_unpacked(write, refuses, tmp_path, monkeypatch):
    monkeypatch.setattr("posezoo.data.convert.mpii_mat._MOST", 1 << 24)  # not 1 GB: quicker
    path = write(person([(0, 1, 1, YES)]))
    packer = zlib.compressobj(9)
    bomb = packer.compress(bytes((1 << 24) + 1)) + packer.flush()
    path.write_bytes(path.read_bytes()[:128] + struct.pack("<II", 15, len(bomb)) + bomb)
    refuses("mpii", path, "unpacks to over 16 MB", images=tmp_path / "images")


@pytest.mark.parametrize("packed", [False, True])
def test_a_flipped_byte_gives_people_or_one_line_never_a_crash(tmp_path, packed):
    image = structs([{"name": "a.jpg"}])
    rects = structs([person([(j, 11 + j, 21 + j, YES) for j in range(16)]), NONE])
    train = structs([{"image": image, "annorect": rects}])
    path = tmp_path / "x.mat"
    savemat(path, {"RELEASE": structs([{"annolist": train}])}, do_compression=packed)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    outcomes = set()
    for _ in range(300):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.choice([1, 2, 8])):
            broken[place] = rng.integers(256)
        path.write_bytes(broken[: rng.integers(len(whole))] if rng.random() < 0.2 else broken)
        try:
            outcomes.add(type(people_of_mat(path)))
        except ValueError as error:
            outcomes.add(ValueError)
            assert "\n" not in str(error) and str(path) in str(error)
    assert outcomes == {tuple, ValueError}
