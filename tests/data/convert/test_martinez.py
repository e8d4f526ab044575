import h5py
import numpy as np
import pytest


@pytest.fixture
def write(tmp_path, studio):
    def save(*, cameras=True, values=None):
        root = tmp_path / "h36m"
        folder = root / "S1" / "MyPoses" / "3D_positions"
        folder.mkdir(parents=True, exist_ok=True)
        # 3d-pose-baseline's load_data transposes, then reshapes to (-1, 3): one column a frame, and
        # x, y, z of each joint after each other in it.
        columns = studio.world.reshape(-1, 96).T if values is None else values
        with h5py.File(folder / "Directions 1.h5", "w") as file:
            file["3D_positions"] = columns
        if cameras:
            with h5py.File(root / "cameras.h5", "w") as file:
                for number, view in enumerate(studio.views, 1):
                    fx, fy, cx, cy, k1, k2, k3, p1, p2 = studio.lenses[view]
                    group = file.create_group(f"subject1/camera{number}")
                    group["R"] = studio.turns[view].T  # as MATLAB's columns come out of h5py
                    group["T"] = studio.places[view].reshape(1, 3).T
                    group["f"], group["c"] = np.array([[fx], [fy]]), np.array([[cx], [cy]])
                    group["k"], group["p"] = np.array([[k1], [k2], [k3]]), np.array([[p1], [p2]])
                    group["Name"] = np.array([[ord(letter)] for letter in view])
        return root

    return save


@pytest.mark.parametrize("own", [True, False])
def test_world_poses_are_seen_by_the_folders_cameras_or_the_users(
    write, studio, cameras, convert_to, same_as, own
):
    store, report = convert_to("martinez", write(cameras=own), cameras=None if own else cameras)
    assert (report.frames, report.sequences) == (24, 2)
    for view in studio.views:
        same_as(store, view, studio.mm(view)[:, studio.used], studio.px(view)[:, studio.used])


def test_wrong_files_are_refused(write, studio, refuses):
    refuses("martinez", write(values=studio.world[:, 0]), r"is \(12, 3\), expected \(96, F\)")
    # All x, then all y, then all z: the bodies are torn, which tells.
    torn = studio.world.transpose(2, 1, 0).reshape(96, -1)
    refuses("martinez", write(values=torn), "no person has such bones .the left thigh is")
    metres = studio.world.reshape(-1, 96).T / 1000
    refuses("martinez", write(values=metres), "must be in mm; read so.*look like metres")
    root = write()
    pose = root / "S1/MyPoses/3D_positions/Directions 1.h5"
    whole = pose.read_bytes()
    pose.write_bytes(whole[: len(whole) // 2])
    refuses("martinez", root, "not a whole HDF5 file")
    with h5py.File(pose, "w") as file:
        file["poses"] = metres
    refuses("martinez", root, "lacks .*3D_positions")
    pose.unlink()
    refuses("martinez", root, "holds no poses; expected S")


def test_without_cameras_it_is_said_what_to_give(write, refuses):
    refuses("martinez", write(cameras=False), "cameras.h5 is not there: give .*--cameras")


def test_the_store_is_that_of_videopose3d(write, studio, cameras, tmp_path, convert_to):
    world = studio.world.astype(np.float32)
    rows = np.stack([world[:, row // 3, row % 3] for row in range(96)])  # one row at a time
    first, _ = convert_to("martinez", write(values=rows))
    found = {name: first[name].copy() for name in ("joints3d_mm", "root_mm", "joints2d_px")}
    (tmp_path / "out" / "store.h5").unlink()
    people = {"S1": {"Directions 1": world / 1000}}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=people)
    npz = tmp_path / "data_3d_h36m.npz"
    second, _ = convert_to("videopose3d", npz, cameras=cameras, trust=True)
    for name, values in found.items():
        assert np.abs(values - second[name]).max() < 0.002  # float32 of 6 m: 0.0005 mm, projected
