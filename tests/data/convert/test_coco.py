import json

import numpy as np
import pytest

from posezoo.data.store.store import Store
from posezoo.skeleton import SKELETONS

COCO = SKELETONS["coco17"].joints


@pytest.fixture
def write(tmp_path):
    def save(**changes):
        # One whole person, one of whom only the left arm is seen, a crowd, and nobody.
        whole = [number for j in range(17) for number in (10 + j, 20 + 2 * j, 1 + j % 2)]
        arm = [0] * 51
        for joint, place in {"left_shoulder": (50, 60), "left_elbow": (55, 70)}.items():
            arm[3 * COCO.index(joint) :][:3] = [0, 0, 0]
            arm[3 * COCO.index(joint) : 3 * COCO.index(joint) + 3] = [*place, 2]
        content = {
            "images": [
                {"id": 7, "file_name": "a.jpg", "width": 64, "height": 96},
                {"id": 9, "file_name": "b.jpg", "width": 128, "height": 96},
            ],
            "annotations": [
                {"id": 1, "image_id": 7, "iscrowd": 0, "keypoints": whole},
                {"id": 2, "image_id": 9, "iscrowd": 0, "keypoints": arm},
                {"id": 3, "image_id": 9, "iscrowd": 1, "keypoints": whole},
                {"id": 4, "image_id": 9, "iscrowd": 0, "keypoints": [0] * 51},
            ],
        } | changes
        path = tmp_path / "person_keypoints.json"
        path.write_text(json.dumps(content))
        return path

    return save


def test_pixels_stay_as_they_are_and_unlabelled_joints_are_said(write, convert_to):
    store, report = convert_to("coco", write(), joints=SKELETONS["coco17"])
    assert store["joints2d_px"][0].tolist() == [[10 + j, 20 + 2 * j] for j in range(17)]
    assert store["labelled2d"][0].all()
    assert store["visible"][0].tolist() == [j % 2 for j in range(17)]
    assert np.flatnonzero(store["labelled2d"][1]).tolist() == [5, 7]
    assert store["joints2d_px"][1, 7].tolist() == [55, 70]
    assert not store["labelled3d"].any()
    assert not store["joints3d_mm"].any()
    assert store["camera"][0, :4].tolist() == [np.hypot(64, 96)] * 2 + [31.5, 47.5]
    assert report.lines()[2:] == [
        "dropped 1 frames in 1 pieces: a crowd",
        "dropped 1 frames in 1 pieces: a person without any joint",
        "repaired 2 frames in 1 pieces: 17 joints without names: taken as coco17",
        "repaired 2 frames in 2 pieces: lens not known: focal length assumed to be the diagonal",
    ]


def test_into_h36m17_go_middles_and_what_coco_does_not_have_is_unlabelled(write, convert_to):
    store, report = convert_to("coco", write())
    joints = SKELETONS["h36m17"].joints
    hips = [COCO.index("left_hip"), COCO.index("right_hip")]
    middle = np.mean([[10 + j, 20 + 2 * j] for j in hips], 0)
    assert store["joints2d_px"][0, 0].tolist() == middle.tolist()
    missing = [joints[j] for j in np.flatnonzero(store["labelled2d"][0] == 0)]
    assert missing == ["spine", "head"]
    assert "coco17 has no spine, head" in report.joints
    assert [joints[j] for j in np.flatnonzero(store["labelled2d"][1])] == [
        "left_shoulder",
        "left_elbow",
    ]


def test_pictures_are_stored_and_a_wrong_one_drops_its_people(
    write, convert_to, save_picture, tmp_path
):
    save_picture(tmp_path / "images" / "a.jpg", 64, 96)
    save_picture(tmp_path / "images" / "b.jpg", 64, 64)
    store, report = convert_to("coco", write(), images=tmp_path / "images")
    assert store["size_px"].tolist() == [[64, 96]]
    assert any(
        "a picture of (64, 64) px where the source says (128, 96)" in x for x in report.lines()
    )


def test_halpe_is_told_by_its_26_joints(write, convert_to):
    keypoints = [number for j in range(26) for number in (10 + j, 20, 2)]
    people = [{"id": 1, "image_id": 7, "keypoints": keypoints}]
    store, _ = convert_to("coco", write(annotations=people))
    joints = SKELETONS["h36m17"].joints
    assert store["joints2d_px"][0, joints.index("head")].tolist() == [10 + 17, 20]
    assert store["joints2d_px"][0, joints.index("pelvis")].tolist() == [10 + 19, 20]


def test_wrong_files_are_refused(write, refuses, tmp_path):
    refuses("coco", write(images=[]), "no annotation can be used .3 without a picture; 1 a crowd")
    one = {"id": 1, "image_id": 7, "keypoints": [1] * 48}
    refuses("coco", write(annotations=[one]), "16 joints a person without names, expected 17 or")
    path = write()
    path.write_text(path.read_text()[:200])
    refuses("coco", path, "cut or damaged")
    refuses("coco", write(), "every frame was dropped: .*no picture", images=tmp_path / "none")


POSETRACK = [
    *("nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder"),
    *("right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip"),
    *("right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
]


def test_joints_go_where_the_files_own_names_say(write, convert_to):
    # PoseTrack: 17 joints as COCO has, but the 2nd and 3rd are not eyes; v is 0 or 1, 1 is seen.
    seen = [0 if "ear" in name else 1 for name in POSETRACK]
    points = [number for j in range(17) for number in (10 + j, 20 + j, seen[j])]
    person = {"id": 10000010000, "image_id": 7, "category_id": 1, "keypoints": points}
    path = write(annotations=[person], categories=[{"id": 1, "keypoints": POSETRACK}])
    store, report = convert_to("coco", path)
    h36m = SKELETONS["h36m17"].joints
    head, hip = h36m.index("head"), h36m.index("right_hip")
    assert store["joints2d_px"][0, head].tolist() == [12, 22]  # head_top, the third
    assert store["joints2d_px"][0, hip].tolist() == [22, 32]
    assert store["visible"][0, [head, hip]].tolist() == [1, 1]
    assert any("joints by their names: halpe26" in line for line in report.lines())


def test_names_of_no_joint_set_are_refused_by_name(write, refuses):
    names = [f"feather{j}" for j in range(17)]
    path = write(categories=[{"id": 1, "keypoints": names}])
    refuses("coco", path, "no joint set has its names .feather0, feather1")


@pytest.mark.parametrize("kind", ["images", "annotations"])
def test_an_id_that_stands_twice_is_refused(write, refuses, kind):
    image = {"id": 7, "file_name": "other.jpg", "width": 640, "height": 480}
    person = {"id": 1, "image_id": 7, "keypoints": [5, 5, 2] * 17}
    one = {"images": image, "annotations": person}[kind]
    refuses("coco", write(**{kind: [one, one]}), f"two {kind} have the id {one['id']}; give each")


def test_odd_entries_are_dropped_with_their_reasons(write, convert_to):
    good = [number for j in range(17) for number in (10 + j, 20, 2)]
    people = [
        {"id": 1, "image_id": "7", "keypoints": good},  # an id as text
        {"id": 2, "image_id": 7},
        {"id": 3, "image_id": 99, "keypoints": good},
        {"id": 4, "image_id": 7, "keypoints": [*good[:-1], "two"]},
        {"id": 5, "image_id": 8, "keypoints": good},
        {"id": 6, "image_id": 7, "keypoints": good[:9]},
        "nonsense",
    ]
    images = [{"id": 7, "file_name": "a.jpg", "width": 64, "height": 96}, {"id": 8}]
    store, report = convert_to("coco", write(images=images, annotations=people))
    assert len(store["frame"]) == 1
    dropped = [each for each in report.remarks if each["what"] == "dropped"]
    assert {(each["reason"], each["frames"]) for each in dropped} == {
        ("without keypoints", 2),
        ("without a picture", 1),
        ("keypoints that are not three numbers for each joint", 1),
        ("its picture has no file_name", 1),
        ("keypoints of another joint set than the others'", 1),
    }


def test_a_byte_order_mark_is_skipped(write, convert_to):
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    store, _ = convert_to("coco", path)
    assert len(store["frame"]) == 2


@pytest.mark.parametrize("name", ["../secret/a.jpg", "x/../../secret/a.jpg", "{root}/secret/a.jpg"])
def test_pictures_outside_the_folder_of_pictures_stay_outside(
    write, convert_to, save_picture, tmp_path, name
):
    save_picture(tmp_path / "secret" / "a.jpg", 64, 96)
    save_picture(tmp_path / "images" / "b.jpg", 128, 96)
    name = name.format(root=tmp_path)
    images = [
        {"id": 7, "file_name": name, "width": 64, "height": 96},
        {"id": 9, "file_name": "b.jpg", "width": 128, "height": 96},
    ]
    store, report = convert_to("coco", write(images=images), images=tmp_path / "images")
    assert store["size_px"].tolist() == [[128, 96]]
    assert any("leads out of the folder of --images" in line for line in report.lines())


def test_four_pictures_can_be_trained_on(write, convert_to):
    good = [number for j in range(17) for number in (10 + j, 20, 2)]
    images = [{"id": k, "file_name": f"{k}.jpg", "width": 64, "height": 96} for k in range(4)]
    people = [{"id": k, "image_id": k, "keypoints": good} for k in range(4)]
    store, _ = convert_to("coco", write(images=images, annotations=people))
    sides = [Store(path=store.path, split=split) for split in ("train", "val")]
    assert [len(side) for side in sides] == [3, 1]


def test_a_file_with_animals_beside_people_gives_the_people(write, convert_to):
    good = [number for j in range(17) for number in (10 + j, 20, 2)]
    people = [{"id": k, "image_id": 7, "category_id": 1 + k, "keypoints": good} for k in range(2)]
    named = [
        {"id": 1, "name": "person", "keypoints": list(COCO)},
        {"id": 2, "name": "cat", "keypoints": list(reversed(COCO))},
    ]
    store, report = convert_to("coco", write(annotations=people, categories=named))
    assert len(store["frame"]) == 1
    assert "dropped 1 frames in 1 pieces: no person by its category" in report.lines()


def test_a_size_that_is_not_written_is_asked_of_the_picture(
    write, convert_to, save_picture, tmp_path
):
    good = [number for j in range(17) for number in (10 + j, 20, 2)]
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg", "width": 64.0}]
    for name in ("a.jpg", "b.jpg"):
        save_picture(tmp_path / "images" / name, 64, 96)
    people = [{"id": k, "image_id": k, "keypoints": good} for k in (7, 8)]
    path = write(images=images, annotations=people)
    store, _ = convert_to("coco", path, images=tmp_path / "images")
    assert store["size_px"].tolist() == [[64, 96]] * 2
