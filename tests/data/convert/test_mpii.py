import json

import numpy as np
import pytest

from posezoo.skeleton import SKELETONS


@pytest.fixture
def write(tmp_path, save_picture):
    def save(**changes):
        person = {
            "image": "015601864.jpg",
            "joints": [[11 + j, 21.5 + j] for j in range(15)] + [[-1, -1]],
            "joints_vis": [1] * 15 + [0],
            "center": [50, 50],
            "scale": 1.0,
        } | changes
        save_picture(tmp_path / "images" / "015601864.jpg", 80, 60)
        path = tmp_path / "train.json"
        path.write_text(json.dumps([person]))
        return path

    return save


def test_one_pixel_is_taken_from_matlabs_numbers(write, convert_to, tmp_path):
    store, _ = convert_to("mpii", write(), images=tmp_path / "images", joints=SKELETONS["mpii16"])
    assert store["joints2d_px"][0, :15].tolist() == [[10 + j, 20.5 + j] for j in range(15)]
    assert store["labelled2d"][0].tolist() == [1] * 15 + [0]
    assert store["joints2d_px"][0, 15].tolist() == [0, 0]
    assert store["size_px"].tolist() == [[80, 60]]
    assert store["camera"][0, :4].tolist() == [100, 100, 39.5, 29.5]


def test_into_h36m17_the_upper_neck_is_the_thorax(write, convert_to, tmp_path):
    store, _ = convert_to("mpii", write(), images=tmp_path / "images")
    joints = SKELETONS["h36m17"].joints
    assert store["joints2d_px"][0, joints.index("thorax")].tolist() == [18, 28.5]
    assert store["joints2d_px"][0, joints.index("right_ankle")].tolist() == [10, 20.5]
    missing = [joints[j] for j in np.flatnonzero(store["labelled2d"][0] == 0)]
    assert missing == ["spine", "neck", "left_wrist"]


def test_a_picture_outside_the_folder_is_not_even_measured(write, refuses, tmp_path, save_picture):
    save_picture(tmp_path / "secret.jpg", 80, 60)
    refuses("mpii", write(image="../secret.jpg"), "no picture", images=tmp_path / "images")


def test_wrong_files_are_refused(write, refuses, tmp_path):
    images = tmp_path / "images"
    refuses("mpii", write(), "does not tell the pictures' sizes: give --images")
    refuses("mpii", write(joints=[[1, 2]] * 14), "1 joints that are not a list of", images=images)
    path = write()
    path.write_text(json.dumps([{"image": "a.jpg"}]))
    refuses("mpii", path, "1 without joints and joints_vis", images=images)
    path.write_text("[{")
    refuses("mpii", path, "cut or damaged", images=images)
    refuses("mpii", write(image="other.jpg"), "every frame was dropped: no picture", images=images)


def test_an_odd_entry_is_dropped_with_its_reason(write, convert_to, tmp_path):
    path = write()
    good = json.loads(path.read_text())[0]
    odd = [{**good, "joints": None}, {"image": "a.jpg"}, 7, {**good, "joints_vis": [0] * 16}]
    path.write_text(json.dumps([*odd, good]))
    store, report = convert_to("mpii", path, images=tmp_path / "images")
    assert len(store["frame"]) == 1
    assert sum(each["frames"] for each in report.remarks if each["what"] == "dropped") == 4
