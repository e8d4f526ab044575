import pickle

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path, studio):
    def save(**changes):
        names, part, points = [], [], []
        for view in studio.views:
            folder = f"S1_Walking_1.{view}"
            names += [f"S1/{folder}/{folder}_{5 * k + 1:06d}.jpg" for k in range(12)]
            ones = np.ones((12, 17, 1))
            part.append(np.concatenate([studio.px(view)[:, studio.used], ones], -1))
            points.append(np.concatenate([studio.mm(view)[:, studio.used] / 1000, ones], -1))
        columns = {
            "imgname": np.array(names),
            "center": np.zeros((24, 2)),
            "scale": np.ones(24),
            "part": np.concatenate(part),
            "S": np.concatenate(points),
        }
        path = tmp_path / "h36m_train.npz"
        np.savez(path, **{k: v for k, v in (columns | changes).items() if v is not None})
        return path

    return save


@pytest.fixture
def camera_pickle(tmp_path, studio):
    content = {}
    for view in studio.views:
        fx, fy, cx, cy, k1, k2, k3, p1, p2 = studio.lenses[view]
        content["S1", view] = {
            "R": studio.turns[view].T,
            "T": studio.places[view].reshape(3, 1) / 1000,
            "f": np.array([[fx], [fy]]),
            "c": np.array([[cx], [cy]]),
            "k": np.array([[k1], [k2], [k3]]),
            "p": np.array([[p1], [p2]]),
            "w": 1000,
            "h": 1002,
            "name": "camera1",
            "id": view,
        }
    path = tmp_path / "cameras.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


def test_metres_of_the_camera_become_millimetres(write, studio, convert_to, same_as):
    store, report = convert_to("mmpose-h36m", write())
    assert (report.frames, report.sequences) == (24, 2)
    for view in studio.views:
        same_as(store, view, studio.mm(view)[:, studio.used], studio.px(view)[:, studio.used])
    assert store["frame"][:3].tolist() == [1, 6, 11]
    assert store.names("action").tolist() == ["Walking"]
    assert store.names("sequence").tolist() == ["Walking_1"]


def test_its_own_camera_file_is_a_pickle_and_needs_trust(
    write, studio, camera_pickle, convert_to, refuses
):
    path = write()
    refuses("mmpose-h36m", path, "can carry programs.*add --trust", cameras=camera_pickle)
    store, _ = convert_to("mmpose-h36m", path, cameras=camera_pickle, trust=True)
    lens = [*studio.lenses["54138969"], 1.0]
    assert np.abs(store["camera"][0] - lens).max() < 1e-12


def test_the_cameras_of_the_pickle_stand_where_the_files_stand(
    studio, camera_pickle, cameras, write
):
    from posezoo.data.convert.cameras import read_cameras
    from posezoo.data.convert.recipe import Options

    pickled = read_cameras(Options(cameras=camera_pickle, trust=True), "")["S1"]
    listed = read_cameras(Options(cameras=cameras), "")["S1"]
    for one, other in zip(pickled, listed, strict=True):
        assert one.name == other.name
        assert np.allclose(one.see(studio.world), other.see(studio.world), atol=1e-9)
        assert np.allclose(one.see(studio.world), studio.mm(one.name), atol=1e-9)


def test_a_joint_that_is_not_there_is_not_labelled(write, studio, convert_to):
    with np.load(write()) as file:
        part, points = file["part"], file["S"]
    part[:12, 13, 2] = 0
    points[:12, 13, 3] = 0
    store, _ = convert_to("mmpose-h36m", write(part=part, S=points))
    for name in ("labelled2d", "labelled3d", "visible"):
        assert store[name][:12].sum() == 12 * 16, name
        assert not store[name][:12, 13].any(), name
    assert not store["joints3d_mm"][:12, 13].any()


def test_pictures_are_found_by_their_names(write, convert_to, save_picture, tmp_path):
    with np.load(write()) as file:
        names = file["imgname"]
    for name in names:
        save_picture(tmp_path / "images" / str(name))
    store, _ = convert_to("mmpose-h36m", write(), images=tmp_path / "images")
    assert (store["size_px"] == [1000, 1002]).all()


def test_wrong_files_are_refused(write, studio, refuses):
    refuses("mmpose-h36m", write(S=None), "lacks 'S ")
    refuses("mmpose-h36m", write(part=np.zeros((24, 16, 3))), r"part is \(24, 16, 3\), expected")
    refuses("mmpose-h36m", write(imgname=np.array(["a.jpg"] * 24)), "imgname a.jpg does not")
    with np.load(write()) as file:
        points = file["S"]
    points[..., :3] *= 1000
    refuses("mmpose-h36m", write(S=points), "must be in metres")
    path = write()
    path.write_bytes(path.read_bytes()[:5000])
    refuses("mmpose-h36m", path, "cut or damaged")


def test_no_picture_is_taken_from_outside_the_folder(
    write, studio, refuses, tmp_path, save_picture
):
    names = [
        f"../secret/S1_Walking_1.{view}_{5 * k + 1:06d}.jpg"
        for view in studio.views
        for k in range(12)
    ]
    for name in names:
        save_picture(tmp_path / "images" / name)
    source = write(imgname=np.array(names))
    refuses(
        "mmpose-h36m", source, "leads out of the folder of --images", images=tmp_path / "images"
    )
