"""As wholebody3d's prepare_data_h3wb.py and MMPose's h3wb_dataset.py read h3wb_train.npz."""

import numpy as np
import pytest

from posezoo.skeleton import SKELETONS

BODY = SKELETONS["coco23"]


@pytest.fixture
def write(tmp_path, studio):
    def save(shift_px=0.0, change=lambda people: people, singleton=False):
        names = SKELETONS["h36m17"].joints
        places = {name: studio.used[j] for j, name in enumerate(names)}
        whole = [places.get(name, places["head"]) for name in BODY.joints]
        whole += [places["head"]] * (133 - len(whole))
        action = {"frame_id": [4 * k + 1 for k in range(12)]}
        for view in studio.views:
            mm, px = studio.mm(view)[:, whole], studio.px(view)[:, whole] + shift_px
            if singleton:
                mm, px = mm[:, None], px[:, None]
            action[view] = {"camera_3d": mm.astype(np.float32), "pose_2d": px.astype(np.float32)}
        action["global_3d"] = studio.world[:, whole]
        people = change({"S1": {"Directions 1": action}, "S5": {"Directions 1": action}})
        path = tmp_path / "h3wb_train.npz"
        boxes = {("S1", "Directions 1", "54138969", 1): {"x_min": 0}}
        np.savez_compressed(path, train_data=people, metadata={"body": [0]}, bbox=boxes)
        return path

    return save


@pytest.mark.parametrize("singleton", [False, True])
def test_the_body_of_133_joints_is_taken_with_its_frames(write, studio, convert_to, singleton):
    store, report = convert_to(
        "h3wb", write(singleton=singleton), trust=True, joints=BODY, val="S5"
    )
    assert (report.frames, report.subjects) == (48, 2)
    assert store.names("action").tolist() == ["Directions"]
    for view in studio.views:
        rows = store.names("view")[store["view"]] == view
        assert store["frame"][rows].tolist() == [4 * k + 1 for k in range(12)] * 2
        found = store["joints3d_mm"][rows] + store["root_mm"][rows][:, None].astype(float)
        wrist, joint = BODY.joints.index("left_wrist"), studio.used[13]
        assert np.abs(found[:12, wrist] - studio.mm(view)[:, joint]).max() < 0.01
        assert (
            np.abs(store["joints2d_px"][rows][:12, wrist] - studio.px(view)[:, joint]).max() < 0.5
        )
    assert "camera fitted to 2D and 3D" in "".join(report.lines())


def test_in_h36m17_the_pelvis_is_the_middle_of_the_hips(write, cameras, convert_to, studio):
    store, report = convert_to("h3wb", write(), trust=True, cameras=cameras)
    view = studio.views[0]
    rows = store.names("view")[store["view"]] == view
    hips = studio.mm(view)[:, [studio.used[1], studio.used[4]]].mean(1)
    assert np.abs(store["root_mm"][rows][:12] - hips).max() < 0.01
    assert "coco23 has no spine, head" in report.joints
    assert "projected" not in "".join(report.lines())


def test_2d_that_is_not_the_3d_seen_is_left_for_the_projection(write, cameras, convert_to, studio):
    store, report = convert_to("h3wb", write(shift_px=5), trust=True, cameras=cameras, joints=BODY)
    assert "pose_2d is not where the 3D is seen: the 3D is projected" in "".join(report.lines())
    rows = store.names("view")[store["view"]] == studio.views[0]
    wrist = BODY.joints.index("left_wrist")
    true = studio.px(studio.views[0])[:, studio.used[13]]
    assert np.abs(store["joints2d_px"][rows][:12, wrist] - true).max() < 0.01


def test_wrong_files_are_refused(write, refuses, tmp_path):
    refuses("h3wb", write(), "'train_data' is an object array, which is a pickle")
    path = tmp_path / "2Dto3D_train.json"
    path.write_text("{}")
    refuses("h3wb", path, "has no cameras and 3D about an origin of its own; take h3wb_train.npz")

    def short(people):
        for action in people["S1"].values():
            action["54138969"]["camera_3d"] = action["54138969"]["camera_3d"][:, :100]
        return people

    refuses("h3wb", write(change=short), "cannot reshape array", trust=True)
