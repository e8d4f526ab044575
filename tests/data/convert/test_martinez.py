import h5py
import numpy as np
import pytest


@pytest.fixture
def write(tmp_path, studio):
    def save(*, cameras=True, values=None):
        root = tmp_path / "h36m"
        folder = root / "S1" / "MyPoses" / "3D_positions"
        folder.mkdir(parents=True, exist_ok=True)
        # All x of a frame, then all y, then all z; one column a frame.
        columns = studio.world.transpose(2, 1, 0).reshape(96, -1) if values is None else values
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
    flat = studio.world.reshape(12, 96).T
    # x, y, z of each joint after each other: the bodies are torn, and the thigh tells.
    refuses("martinez", write(values=flat), "read so, the median thigh")
    metres = studio.world.transpose(2, 1, 0).reshape(96, -1) / 1000
    refuses("martinez", write(values=metres), "must be in mm; read so.*look like metres")
    root = write()
    pose = root / "S1/MyPoses/3D_positions/Directions 1.h5"
    whole = pose.read_bytes()
    pose.write_bytes(whole[: len(whole) // 2])
    refuses("martinez", root, "cannot be read")
    with h5py.File(pose, "w") as file:
        file["poses"] = metres
    refuses("martinez", root, "lacks .*3D_positions")
    pose.unlink()
    refuses("martinez", root, "holds no poses; expected S")


def test_without_cameras_it_is_said_what_to_give(write, refuses):
    refuses("martinez", write(cameras=False), "cameras.h5 is not there: give .*--cameras")
