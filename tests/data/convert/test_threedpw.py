"""As 3DPW's readme describes its sequenceFiles, and SPIN and MMHuman3D read them."""

import pickle

import numpy as np
import pytest

from posezoo.data.detections.adding import add_detections
from posezoo.data.detections.source import Ask
from posezoo.data.store.store_file import open_store
from posezoo.skeleton import H36M17, SKELETONS

NAMES = SKELETONS["smpl24"].joints


def body(world):  # (F, 17, 3) of h36m17 -> (F, 24, 3) of smpl24, the same scale
    at = {name: world[:, j] for j, name in enumerate(H36M17.joints)}
    up = at["thorax"] - at["pelvis"]
    at |= {f"spine{n}": at["pelvis"] + 0.3 * n * up for n in (1, 2, 3)}
    for side in ("left", "right"):
        at[f"{side}_foot"] = at[f"{side}_ankle"] + np.array([0, -120, -60])
        at[f"{side}_collar"] = (at["thorax"] + at[f"{side}_shoulder"]) / 2
        at[f"{side}_hand"] = at[f"{side}_wrist"] + np.array([0, 0, -80])
    return np.stack([at[name] for name in NAMES], 1)


@pytest.fixture
def write(tmp_path, studio):
    """A hand-held camera that follows two people; the second's frames 2 and 3 are not valid."""

    def save(name="downtown_walking_00", change=lambda content: None):
        view = studio.views[0]
        count = len(studio.world)
        poses = np.tile(np.eye(4), (count, 1, 1))
        for k in range(count):
            angle = 0.01 * k
            turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0],
                             [-np.sin(angle), 0, np.cos(angle)]])  # fmt: skip
            poses[k, :3, :3] = turn @ studio.turns[view]
            poses[k, :3, 3] = -poses[k, :3, :3] @ (studio.places[view] / 1000)
        people = [body(studio.world[:, studio.used]) / 1000]
        people.append(people[0] + np.array([1.0, 0.2, 0]))
        lens = np.array([[1962.0, 0, 960], [0, 1969, 540], [0, 0, 1]])
        content = {
            "sequence": name,
            "jointPositions": [each.reshape(count, 72) for each in people],
            "cam_poses": poses,
            "cam_intrinsics": lens,
            "campose_valid": [np.ones(count, bool), np.arange(count) // 2 != 1],
            "poses2d": [np.zeros((count, 3, 18)), np.zeros((count, 3, 18))],
            "genders": ["m", "f"],
            "img_frame_ids": np.arange(count) * 2,
        }
        eye = np.einsum("fij,fkj->fki", poses[:, :3, :3], people[0]) + poses[:, None, :3, 3]
        content["truth"] = eye * 1000
        order = SKELETONS["openpose18"].joints
        seen = eye[..., :2] / eye[..., 2:] * lens[[0, 1], [0, 1]] + lens[:2, 2]
        for j, joint in enumerate(order):
            if joint in NAMES:
                content["poses2d"][0][:, :2, j] = seen[:, NAMES.index(joint)] + 4
                content["poses2d"][0][:, 2, j] = 0.8
        change(content)
        truth = content.pop("truth", None)
        folder = tmp_path / "sequenceFiles" / "test"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(content, 2))
        return folder, truth, seen

    return save


def test_metres_of_the_world_become_mm_of_a_camera_that_moves(write, convert_to):
    folder, truth, seen = write()
    store, report = convert_to("3dpw", folder, trust=True, joints=SKELETONS["smpl24"])
    assert store.names("subject").tolist() == ["downtown_walking_00 0", "downtown_walking_00 1"]
    assert store.names("action").tolist() == ["downtown_walking"]
    first = store["subject"] == 0
    found = store["joints3d_mm"][first] + store["root_mm"][first][:, None].astype(float)
    assert np.abs(found - truth).max() < 0.01
    assert np.abs(store["joints2d_px"][first] - seen).max() < 0.01
    assert store["camera"][0].tolist() == [1962, 1969, 960, 540, 0, 0, 0, 0, 0, 2]
    assert store["frame"][~first].tolist() == [0, 1, *range(4, 12)]
    text = "".join(report.lines())
    assert "dropped 2 frames in 1 pieces: no valid camera pose, as the data set itself says" in text


def test_in_h36m17_the_spine_is_smpl_s_second_and_the_head_s_top_is_not_known(write, convert_to):
    folder, truth, _ = write()
    store, report = convert_to("3dpw", folder, trust=True)
    joints = H36M17.joints
    first = store["subject"] == 0
    found = store["joints3d_mm"][first] + store["root_mm"][first][:, None].astype(float)
    spine = truth[:, NAMES.index("spine2")]
    assert np.abs(found[:, joints.index("spine")] - spine).max() < 0.01
    assert not store["labelled3d"][:, joints.index("head")].any()
    assert "smpl24 has no head" in report.joints


def test_pictures_are_those_of_the_frames(write, convert_to, tmp_path, save_picture):
    folder, _, _ = write()
    for frame in (0, 1, 5):
        path = tmp_path / "imageFiles" / "downtown_walking_00" / f"image_{frame:05d}.jpg"
        save_picture(path, 1920, 1080)
    store, report = convert_to("3dpw", folder, trust=True, images=tmp_path / "imageFiles")
    assert store["frame"].tolist() == [0, 1, 5, 0, 1, 5]
    assert store["size_px"].tolist() == [[1920, 1080]] * 6
    assert "no picture" in "".join(report.lines())


def test_what_openpose_found_is_a_detection(write, convert_to, tmp_path):
    folder, _, _ = write()
    store, _ = convert_to("3dpw", folder, trust=True)
    out = tmp_path / "both.h5"
    report = add_detections(
        tmp_path / "out" / "store.h5", out, "openpose", format_name="3dpw",
        ask=Ask(path=folder, trust=True),
    )  # fmt: skip
    assert (report.frames, report.of) == (12, len(store["frame"]))
    both = open_store(out)
    found, wrist = both.detections["openpose"], H36M17.joints.index("left_wrist")
    assert found.skeleton.name == "openpose18"
    rows, joint = both["subject"] == 0, found.skeleton.joints.index("left_wrist")
    off = found.px.array[rows, joint] - both["joints2d_px"][rows, wrist]
    assert np.abs(off - 4).max() < 0.01
    assert np.isnan(found.px.array[~rows]).all()
    assert 5.6 < report.mean_error_px < 7  # the middle of two joints in 2D is not that in 3D


def test_wrong_files_are_refused(write, refuses, tmp_path):
    folder, _, _ = write()
    refuses("3dpw", folder, r"can carry programs.*--trust")
    path = write(change=lambda content: content.pop("cam_poses"))[0]
    refuses("3dpw", path, "lacks 'cam_poses'", trust=True)
    short = lambda content: content.update(cam_poses=content["cam_poses"][:, :3])  # noqa: E731
    refuses("3dpw", write(change=short)[0], r"has arrays of .*\(12, 3, 4\)", trust=True)
    mm = lambda content: content.update(  # noqa: E731
        jointPositions=[each * 1000 for each in content["jointPositions"]]
    )
    refuses("3dpw", write(change=mm)[0], "must be in metres; read so,", trust=True)
    (tmp_path / "empty").mkdir()
    refuses("3dpw", tmp_path / "empty", r"holds no \.pkl", trust=True)
