"""2D joints from the files of other programs.

The layouts are those of the programs' own documents and writers (docs/keypoints.md names them).
Every file here holds the same person, whose left wrist is at (301, 202).
"""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from posezoo.data.keypoints.joint_sets import plain_name
from posezoo.data.keypoints.reading import read_keypoints
from posezoo.skeleton import SKELETONS, get_skeleton

COCO, HALPE = get_skeleton("coco17"), get_skeleton("halpe26")
BODY25, BLAZE = get_skeleton("body25"), get_skeleton("blazepose33")
WRIST = (301.0, 202.0)


def person(count, wrist):
    """x, y, confidence of each joint; the wrist is where it must be found again."""
    rows = np.array([[100.0 + 3 * j, 50.0 + 7 * j, 0.5] for j in range(count)])
    rows[wrist] = [*WRIST, 0.9]
    return rows


def of(skeleton, extra=0):
    return person(skeleton.num_joints + extra, skeleton.joints.index("left_wrist"))


def save(path, content):
    path.write_text(json.dumps(content))
    return path


def check(file, joint_set, confidence=0.9):
    assert file.skeleton.name == joint_set
    found = file.frames[0].people[0]
    wrist = file.skeleton.joints.index("left_wrist")
    assert found.px[wrist] == pytest.approx(WRIST, abs=1e-3)
    assert found.confidence[wrist] == pytest.approx(confidence)
    return found


# ----- COCO: the format page of its site, and pycocotools' loader


def coco(names=COCO.joints, rows=None, **annotation):
    rows = of(COCO) if rows is None else rows
    flat = [value for x, y, _ in rows.tolist() for value in (x, y, 2)]
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 640, "height": 480}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(names)}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "keypoints": flat, "iscrowd": 0,
             "bbox": [90, 40, 220, 190], **annotation}
        ],
    }  # fmt: skip


def test_coco_annotations(tmp_path):
    file = read_keypoints(save(tmp_path / "a.json", coco()))
    found = check(file, "coco17", confidence=1.0)
    assert file.frames[0].size_px == (640, 480) and file.frames[0].name == "a.jpg"
    assert found.box_px.tolist() == [90, 40, 220, 190] and not file.video


def test_joints_go_by_their_names_whatever_their_order(tmp_path):
    order = np.random.default_rng(0).permutation(17)
    content = coco([COCO.joints[j] for j in order], of(COCO)[order])
    check(read_keypoints(save(tmp_path / "a.json", content)), "coco17", confidence=1.0)


def test_posetracks_17_are_not_cocos(tmp_path):
    names = "nose head_bottom head_top left_ear right_ear left_shoulder right_shoulder left_elbow "
    names += "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee "
    names += "left_ankle right_ankle"
    content = coco(names.split(), person(17, 9))
    file = read_keypoints(save(tmp_path / "a.json", content))
    found = check(file, "halpe26", confidence=1.0)
    assert found.px[HALPE.joints.index("head_top")] == pytest.approx([106, 64])
    assert np.isnan(found.px[HALPE.joints.index("left_eye")]).all()


def test_unlabelled_joints_are_not_known_and_odd_entries_are_counted(tmp_path):
    content = coco()
    content["annotations"][0]["keypoints"][2] = 0
    content["annotations"][0]["keypoints"][5] = 1  # hidden, but labelled
    content["annotations"] += [
        {"image_id": 7, "category_id": 1},
        {"image_id": 8, "category_id": 1, "keypoints": [1, 1, 2] * 17},
        {"image_id": 7, "category_id": 1, "keypoints": [0] * 51},
        {"image_id": "7", "category_id": 1, "keypoints": [1, 1, 2] * 17, "iscrowd": 1},
    ]
    file = read_keypoints(save(tmp_path / "a.json", content))
    found = check(file, "coco17", confidence=1.0)
    assert np.isnan(found.px[0]).all() and found.confidence[:2].tolist() == [0, 1]
    assert len(file.frames[0].people) == 1
    assert [note for note in file.notes if note.startswith("left out 1 ")] == list(file.notes[1:])
    assert len(file.notes) == 5


# ----- AlphaPose: docs/output.md and alphapose/utils/pPose_nms.py::write_json


@pytest.mark.parametrize(("skeleton", "extra"), [(COCO, 0), (HALPE, 0), (HALPE, 110)])
def test_alphapose_with_17_26_and_136_points(tmp_path, skeleton, extra):
    def one(name, shift=0.0):
        rows = of(skeleton, extra)
        rows[:, 0] += shift
        return {
            "image_id": name, "category_id": 1, "keypoints": rows.reshape(-1).tolist(),
            "score": 2.9, "box": [1.0, 2.0, 3.0, 4.0], "idx": 3.0,
        }  # fmt: skip

    file = read_keypoints(save(tmp_path / "a.json", [one("0.jpg"), one("10.jpg", 8), one("9.jpg")]))
    found = check(file, skeleton.name)
    assert [frame.name for frame in file.frames] == ["0.jpg", "9.jpg", "10.jpg"] and file.video
    assert found.id == 3 and found.score == 1.0 and found.box_px.tolist() == [1, 2, 3, 4]


def test_results_of_a_detector_for_coco(tmp_path):
    rows = of(COCO)
    content = [
        {"image_id": 139, "category_id": 1, "keypoints": rows.reshape(-1).tolist(), "score": 0.7}
    ]
    file = read_keypoints(save(tmp_path / "a.json", content))
    assert check(file, "coco17").score == 0.7
    assert file.tool == "COCO results" and not file.video
    assert file.notes == ("17 joints without names: taken as coco17",)


def test_alphaposes_confidence_above_1_is_1(tmp_path):
    rows = of(COCO) * [1, 1, 6]
    content = [{"image_id": "a.jpg", "keypoints": rows.reshape(-1).tolist(), "score": 1}]
    check(read_keypoints(save(tmp_path / "a.json", content)), "coco17", confidence=1.0)


# ----- OpenPose: doc/output.md (02_output.md in later versions)


def openpose(rows):
    return {
        "version": 1.3,
        "people": [
            {"person_id": [-1], "pose_keypoints_2d": rows.reshape(-1).tolist(),
             "face_keypoints_2d": [], "hand_left_keypoints_2d": [], "pose_keypoints_3d": []}
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["body25", "openpose18"])
def test_openpose_folders_are_videos_in_order(tmp_path, name):
    for number in (10, 2, 0):
        rows = of(get_skeleton(name))
        rows[0] = 0
        save(tmp_path / f"walk_{number:012d}_keypoints.json", openpose(rows))
    save(tmp_path / "walk_000000000003_keypoints.json", {"version": 1.3, "people": []})
    file = read_keypoints(tmp_path)
    found = check(file, name)
    assert file.video and [frame.name[-2:] for frame in file.frames] == ["00", "02", "03", "10"]
    assert file.frames[2].people == () and found.id is None
    assert np.isnan(found.px[0]).all()  # (0, 0, 0): not found


def test_openpose_in_shares_of_the_picture_is_refused(tmp_path):
    rows = of(BODY25) * [1 / 640, 1 / 480, 1]
    with pytest.raises(ValueError, match="shares of the picture, not px; run OpenPose with"):
        read_keypoints(save(tmp_path / "a.json", openpose(rows)))


# ----- MediaPipe: NormalizedLandmark of its tasks and solutions


def landmarks():
    return [
        {"x": x / 640, "y": y / 480, "z": -0.1, "visibility": c} for x, y, c in of(BLAZE).tolist()
    ]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda points: {"landmark": points},  # MessageToDict of the older API's result
        lambda points: {"landmarks": [points], "worldLandmarks": [[{"x": 0, "y": 0}] * 33]},
        lambda points: {"pose_landmarks": [points]},
        lambda points: points,
        lambda points: [{"pose_landmarks": {"landmark": points}}, {"pose_landmarks": None}],
        lambda points: [points, []],
        lambda points: [[points], []],
        lambda points: [{**point, "presence": None} for point in points],
    ],
)
def test_mediapipe_landmarks(tmp_path, wrap):
    path = save(tmp_path / "a.json", wrap(landmarks()))
    check(read_keypoints(path, size_px=(640, 480)), "blazepose33")
    with pytest.raises(ValueError, match="give the size by --width PX --height PX"):
        read_keypoints(path)


# ----- Ultralytics: engine/results.py, summary() and save_txt()


def test_ultralytics_json_in_px_and_in_shares(tmp_path):
    def content(scale):
        x, y, c = (of(COCO) * [*scale, 1]).T.tolist()
        box = dict(
            zip(("x1", "y1", "x2", "y2"), (np.tile([90, 40], 2) * 1.0).tolist(), strict=True)
        )
        keypoints = {"x": x, "y": y, "visible": c}
        return [
            {"name": "person", "class": 0, "confidence": 0.8, "track_id": 5, "box": box,
             "keypoints": keypoints}
        ]  # fmt: skip

    found = check(read_keypoints(save(tmp_path / "a.json", content((1, 1)))), "coco17")
    assert found.id == 5 and found.score == 0.8
    path = save(tmp_path / "b.json", content((1 / 640, 1 / 480)))
    check(read_keypoints(path, size_px=(640, 480)), "coco17")
    with pytest.raises(ValueError, match="--width PX --height PX"):
        read_keypoints(path)


def test_ultralytics_labels(tmp_path):
    rows = (of(COCO) * [1 / 640, 1 / 480, 1]).reshape(-1)
    box = [0.5, 0.5, 0.25, 0.5]
    line = " ".join(f"{value:.6g}" for value in [0, *box, *rows])
    (tmp_path / "f_1.txt").write_text(line + " 0.75 12\n")
    (tmp_path / "f_2.txt").write_text(line + "\n" + line + " 3\n")
    file = read_keypoints(tmp_path, size_px=(640, 480))
    found = check(file, "coco17")
    assert found.id == 12 and found.score == 0.75
    assert found.box_px.tolist() == [240, 120, 160, 240]
    first, second = file.frames[1].people
    assert (first.id, first.score) == (None, 1.0) and (second.id, second.score) == (3, 1.0)


# ----- rtmlib returns keypoints (N, K, 2) and scores (N, K); MMPose's inferencer writes JSON


def rtm(rows, **more):
    return {"keypoints": rows[:, :2].tolist(), "keypoint_scores": rows[:, 2].tolist(), **more}


@pytest.mark.parametrize(
    ("skeleton", "extra"),
    [(COCO, 0), (HALPE, 0), (get_skeleton("coco23"), 110)],
    ids=["17", "26", "133"],
)
def test_mmpose_and_rtmlib_json(tmp_path, skeleton, extra):
    one = rtm(of(skeleton, extra), bbox=[[1, 2, 4, 6]], bbox_score=0.9)
    video = {"meta_info": {}, "instance_info": [{"frame_id": 1, "instances": [one]}] * 2}
    frames = [{"frame_id": 0, "instances": [one]}, {"frame_id": 1, "instances": []}]
    for content in ([one], [[one], []], frames, video, {**one, "scores": one["keypoint_scores"]}):
        found = check(read_keypoints(save(tmp_path / "a.json", content)), skeleton.name)
        assert found.box_px.tolist() == [1, 2, 3, 4]


def test_mmposes_own_names_win(tmp_path):
    names = {str(n): name for n, name in enumerate(reversed(COCO.joints))}
    frame = {"frame_id": 1, "instances": [rtm(of(COCO)[::-1])]}
    content = {"meta_info": {"keypoint_id2name": names}, "instance_info": [frame]}
    check(read_keypoints(save(tmp_path / "a.json", content)), "coco17")


def test_rtmlib_npz(tmp_path):
    rows = np.stack([of(HALPE)] * 2)
    np.savez(tmp_path / "one.npz", keypoints=rows[..., :2], scores=rows[..., 2])
    np.savez(tmp_path / "all.npz", keypoints=rows[None, ..., :2], scores=rows[None, ..., 2])
    for name in ("one", "all"):
        file = read_keypoints(tmp_path / f"{name}.npz")
        check(file, "halpe26")
        assert len(file.frames) == 1 and len(file.frames[0].people) == 2


# ----- VideoPose3D: data/prepare_data_2d_custom.py


def test_videopose3d_npz(tmp_path):
    clip = np.stack([of(COCO)[:, :2]] * 3).astype(np.float32)
    metadata = {
        "layout_name": "coco", "num_joints": 17, "keypoints_symmetry": [[1, 3], [2, 4]],
        "video_metadata": {"a.mp4": {"w": 640, "h": 480}},
    }  # fmt: skip
    path = tmp_path / "data_2d_custom_me.npz"
    np.savez_compressed(path, positions_2d={"a.mp4": {"custom": [clip]}}, metadata=metadata)
    with pytest.raises(ValueError, match="--trust"):
        read_keypoints(path)
    file = read_keypoints(path, trust=True)
    check(file, "coco17", confidence=1.0)
    assert file.frames[2].size_px == (640, 480) and file.frames[2].people[0].id == 0 and file.video


# ----- DeepLabCut: what pandas writes of its (scorer, bodyparts, coords) columns


def deeplabcut(path, names, individuals=None, likelihood=True, odd=""):
    coords = ("x", "y", "likelihood") if likelihood else ("x", "y")
    people = individuals or [""]
    keys = [(who, name, coord) for who in people for name in names for coord in coords]
    header = [["scorer", *["net"] * len(keys)]]
    if individuals:
        header.append(["individuals", *(who for who, _, _ in keys)])
    header.append(["bodyparts", *(name for _, name, _ in keys)])
    header.append(["coords", *(coord for _, _, coord in keys)])
    rows = of(COCO)[:, : len(coords)].reshape(-1).tolist() * len(people)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerows(header)
        table.writerow(["0", *rows])
        table.writerow(["1", *rows[:-1], odd])
    return path


@pytest.mark.parametrize(
    "spell",
    [
        str,
        lambda name: name.replace("left_", "L").replace("right_", "R"),
        lambda name: "_".join(reversed(name.split("_"))).replace("left", "l").replace("right", "r"),
        lambda name: "".join(part.capitalize() for part in name.split("_")),
        lambda name: name.replace("_", ""),
    ],
)
def test_deeplabcut_under_many_spellings(tmp_path, spell):
    file = read_keypoints(deeplabcut(tmp_path / "a.csv", [spell(name) for name in COCO.joints]))
    check(file, "coco17")
    assert file.video and len(file.frames) == 2


def test_deeplabcut_with_several_people_and_without_likelihood(tmp_path):
    names = list(COCO.joints)
    file = read_keypoints(deeplabcut(tmp_path / "a.csv", names, ["Ann", "Bo"], likelihood=False))
    check(file, "coco17", confidence=1.0)
    assert [pose.id for pose in file.frames[0].people] == [0, 1]
    assert np.isnan(file.frames[1].people[1].px[16]).all()  # its cell is empty


def test_deeplabcuts_hand_labels_have_a_path_for_an_index(tmp_path):
    path = deeplabcut(tmp_path / "a.csv", list(COCO.joints), likelihood=False)
    rows = [line.split(",", 1) for line in path.read_text().splitlines()]
    rows = [f"{first},,,{rest}" for first, rest in rows[:3]] + [
        f"labeled-data,walk,img{first}.png,{rest}" for first, rest in rows[3:]
    ]
    path.write_text("\n".join(rows))
    file = read_keypoints(path)
    check(file, "coco17", confidence=1.0)
    assert file.frames[1].name == "labeled-data/walk/img1.png" and not file.video


def test_twelve_limbs_alone_do_not_tell_the_set(tmp_path):
    names = [name for name in COCO.joints if "eye" not in name and "ear" not in name][1:]
    path = deeplabcut(tmp_path / "a.csv", [*names, *(f"thing{n}" for n in range(5))])
    with pytest.raises(ValueError, match=r"may be those of .*coco17.*: say which by --joints"):
        read_keypoints(path)
    file = read_keypoints(path, joints="coco17")
    assert file.skeleton.name == "coco17" and "without thing0" in file.notes[0]


# ----- what a user gets for a file that is not what it should be


def bad(tmp_path, content, name="a.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


FLAT = of(COCO).reshape(-1).tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
        ("[]", "is of no tool that is known"),
        ({}, "an empty object"),
        ({"a": 1}, "its content ('a') is of no tool"),
        ('[{"image_id": "a", "keypoints": [NaN, 1, 2]}]', "it holds NaN"),
        ('[{"image_id": "a", "keypoints": [1e999, 1, 2]}]', "it holds 1e999, which is no number"),
        ([{"image_id": "a", "keypoints": [*FLAT[:-1], 1e12]}], "expected numbers up to"),
        ([{"image_id": "a", "keypoints": [*FLAT[:-1], 10**400]}], "does not fit into 64 bits"),
        ([{"image_id": "a", "keypoints": [*FLAT[:-1], "1"]}], '"1" among the numbers'),
        ([{"image_id": "a", "keypoints": [*FLAT[:-1], True]}], "true among the numbers"),
        ([{"image_id": "a", "keypoints": [FLAT]}], "keypoints: 1 x 51 values"),
        ([{"image_id": "a", "keypoints": FLAT[:-1]}], "50 numbers, expected three for each joint"),
        ([{"image_id": "a", "keypoints": FLAT[:15]}], "5 joints a person without names"),
        ([{"image_id": "a", "keypoints": FLAT[:48]}], "--joints (h36m16, mpii16)"),
        ([{"image_id": "a", "keypoints": {}}], "keypoints is an object of 0 keys"),
        ([{"image_id": None, "keypoints": FLAT}], "image_id is null"),
        ([{"image_id": "a", "keypoints": FLAT}, 3], "[1]: 3, expected an object"),
        ([{"image_id": "a", "keypoints": FLAT, "score": "x"}], 'score is "x", expected a number'),
        ({"people": [3]}, "people[0]: 3, expected an object"),
        ({"people": []}, "found nobody"),
        ({"people": [{"pose_keypoints_2d": FLAT}]}, "17 joints a person without names"),
        ({"images": [], "annotations": [], "categories": []}, "no annotation has a labelled joint"),
        ({"images": {}, "annotations": []}, "images is an object of 0 keys, expected a list"),
        ({"instance_info": 3}, "instance_info is 3, expected a list"),
        ([[[{"x": 1}]]], "is of no tool"),
        ({"posezoo": "0.2.0"}, "no 'people', only 'posezoo'"),
    ],
)  # fmt: skip
def test_a_bad_json_is_refused_in_one_line(tmp_path, content, words):
    with pytest.raises(ValueError, match=r"a\.json: ") as error:
        read_keypoints(bad(tmp_path, content), size_px=(640, 480))
    assert words in str(error.value) and "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "a,b\n1,2\n", "expected DeepLabCut's header rows"),
        ("a.csv", "scorer,n,n\nbodyparts,a,a\ncoords,x,y\n", "no joint set has its names"),
        ("a.txt", "0 0.5 0.5 1 1 x\n", "expected numbers only"),
        ("a.txt", "0 0.5 0.5 1 1\n", "5 numbers, expected a box and joints"),
        ("a.txt", "0 0.5 0.5 1 1 nan 0 0\n", "expected numbers up to"),
        ("a.npz", "PK", "expected a whole .npz"),
        ("a.xml", "<a/>", "not a file of joints; expected one of COCO"),
    ],
)
def test_a_bad_file_of_another_kind_is_refused_in_one_line(tmp_path, name, content, words):
    with pytest.raises(ValueError, match=name) as error:
        read_keypoints(bad(tmp_path, content, name), size_px=(640, 480))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_wrong_cell_of_a_table_is_named(tmp_path):
    path = deeplabcut(tmp_path / "a.csv", list(COCO.joints), odd="ten")
    with pytest.raises(ValueError, match="row 5: right_ankle likelihood: 'ten', expected a number"):
        read_keypoints(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros(3)}, "holds x; expected detected2d_px"),
        ({"keypoints": np.zeros((2, 17, 3))}, "expected (frames, people, joints, 2)"),
        ({"keypoints": np.full((2, 17, 2), np.inf)}, "inf among the numbers"),
        ({"keypoints": np.ones((2, 17, 2)), "scores": np.ones((2, 16))}, "expected numbers (1, 2"),
        ({"keypoints": np.ones((500, 17, 2))}, "500 people of one picture"),
        ({"keypoints": np.array([["a"]])}, "keypoints (1, 1)"),
        ({"positions_2d": np.array(3)}, "positions_2d: is"),
        ({"positions_2d": {"a": {"custom": [np.ones((1, 17, 2))] * 2}}}, "holds 2 sequences"),
        ({"positions_2d": {"a": {"custom": [np.full((1, 17, 2), np.nan)]}}}, "nan among"),
    ],
)
def test_a_bad_npz_is_refused_in_one_line(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=r"a\.npz: ") as error:
        read_keypoints(tmp_path / "a.npz", trust=True)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detected_joints": np.zeros(20_000_000, np.uint8)}, "expected 200 names at most"),
        ({"frame": [2**62]}, "has frames 4611686018427387904 to 4611686018427387904"),
        ({"frame": [-1]}, "has frames -1 to -1, expected 0 to 1,000,000"),
    ],
)
def test_our_own_npz_of_more_than_a_video_holds_is_refused_at_once(tmp_path, changes, words):
    rows = of(COCO)
    arrays = {
        "about": '{"width": 640, "height": 480}', "frame": [0], "person": [0], "score": [1.0],
        "box_px": [[1, 2, 3, 4]], "detected_joints": list(COCO.joints),
        "detected2d_px": rows[None, :, :2], "detected_confidence": rows[None, :, 2],
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **arrays)
    assert len(read_keypoints(tmp_path / "a.npz").frames) == 1
    np.savez(tmp_path / "a.npz", **{**arrays, **changes})
    with pytest.raises(ValueError, match=r"a\.npz: ") as error:
        read_keypoints(tmp_path / "a.npz")
    assert words in str(error.value)


def test_an_npz_that_would_run_code_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exit, ("it ran",))

    np.savez(tmp_path / "a.npz", positions_2d=np.array({"a": Evil()}, dtype=object))
    with pytest.raises(ValueError, match=r"a\.npz"):
        read_keypoints(tmp_path / "a.npz", trust=True)


def test_folders_and_files_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_keypoints(tmp_path / "b.json")
    with pytest.raises(ValueError, match="holds 0 files, none of them"):
        read_keypoints(tmp_path)
    save(tmp_path / "a.json", {"a": 1})
    with pytest.raises(ValueError, match="not of OpenPose"):
        read_keypoints(tmp_path)


def test_the_users_word_on_the_joint_set_is_held_against_the_file(tmp_path):
    content = [{"image_id": "a", "keypoints": FLAT}]
    path = save(tmp_path / "a.json", content)
    assert read_keypoints(path, joints="h36m17").skeleton.name == "h36m17"
    with pytest.raises(ValueError, match="has 17 joints a person, halpe26 has 26"):
        read_keypoints(path, joints="halpe26")
    with pytest.raises(ValueError, match="unknown joint set 'coco'"):
        read_keypoints(path, joints="coco")
    with pytest.raises(ValueError, match="are not those of cmu31"):
        read_keypoints(
            save(tmp_path / "b.json", coco([f"p{n}" for n in range(17)])), joints="cmu31"
        )


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("LWrist", "left_wrist"), ("wrist_l", "left_wrist"), ("Left Wrist", "left_wrist"),
        ("rightWrist", "right_wrist"), ("RBigToe", "right_big_toe"), ("MidHip", "mid_hip"),
        ("rknee", "right_knee"), ("nose", "nose"), ("leftear", "left_ear"),
        ("L.Ankle", "left_ankle"),
    ],
)  # fmt: skip
def test_spellings_of_one_joint(written, plain):
    assert plain_name(written) == plain


def test_every_set_is_recognised_by_its_own_names(tmp_path):
    for skeleton in SKELETONS.values():
        if skeleton.family == "places":  # what lifters are told, and nobody writes
            continue
        rows = person(skeleton.num_joints, 5)
        path = save(tmp_path / "a.json", coco(skeleton.joints, rows))
        assert read_keypoints(path).skeleton.name == skeleton.name


# ----- spoilt at random


def spots(value, path=()):
    """Every place in nested lists and objects."""
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else inner:
        yield from spots(each, (*path, key))


ODD = (None, True, -1, 1e308, 10**400, "x", "", [], {}, [[]], [None], {"x": 1}, [[1, 2], [3]])


def test_files_spoilt_at_random_are_read_or_refused_in_one_line(tmp_path):
    draw = np.random.default_rng(0)
    x, y, c = of(COCO).T.tolist()
    box = {"x1": 1, "y1": 2, "x2": 3, "y2": 4}
    whole = [
        coco(), [{"image_id": "0.jpg", "keypoints": FLAT, "score": 2, "idx": 1}] * 2,
        openpose(of(BODY25)), {"landmarks": [landmarks()]}, [{"landmark": landmarks()}] * 2,
        [{"box": box, "keypoints": {"x": x, "y": y, "visible": c}}],
        {"meta_info": {}, "instance_info": [{"frame_id": 1, "instances": [rtm(of(COCO))]}]},
    ]  # fmt: skip
    refused = 0
    for _ in range(400):
        content = json.loads(json.dumps(whole[draw.integers(len(whole))]))
        places = [path for path in spots(content) if 0 < len(path) <= draw.integers(1, 6)]
        *way, last = places[draw.integers(len(places))]
        holder = content
        for key in way:
            holder = holder[key]
        holder[last] = ODD[draw.integers(len(ODD))]
        path = save(tmp_path / "a.json", content)
        try:
            read_keypoints(path, size_px=(640, 480))
        except ValueError as error:
            refused += 1
            assert "a.json" in str(error) and "\n" not in str(error) and len(str(error)) < 600
    assert 200 < refused < 400
