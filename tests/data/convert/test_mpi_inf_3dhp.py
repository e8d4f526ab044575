import h5py
import numpy as np
import pytest

from posezoo.joint_maps import map_joints
from posezoo.skeleton import SKELETONS

H36M17, SET28, SET17 = (SKELETONS[name] for name in ("h36m17", "3dhp28", "3dhp17"))


def points(studio, skeleton):
    """The studio's person in that joint set, seen without distortion: (mm, px) of each view."""
    rows = [
        studio.used.index(0) if joint not in H36M17.joints else H36M17.joints.index(joint)
        for joint in skeleton.joints
    ]
    world = studio.world[:, studio.used][:, rows] + np.arange(len(rows))[:, None] * 0.1
    for view in studio.views:
        mm = (world - studio.places[view]) @ studio.turns[view].T
        fx, fy, cx, cy = studio.lenses[view][:4]
        yield mm, mm[..., :2] / mm[..., 2:] * (fx, fy) + (cx, cy)


@pytest.fixture
def write_train(tmp_path, studio):
    savemat = pytest.importorskip("scipy.io").savemat

    def save(*, lenses=True, scale=1.0, joints=28, lacks=()):
        folder = tmp_path / "3dhp" / "S1" / "Seq2"
        folder.mkdir(parents=True, exist_ok=True)
        cells = {"annot2": np.empty((2, 1), object), "annot3": np.empty((2, 1), object)}
        for number, (mm, px) in enumerate(points(studio, SET28)):
            cells["annot2"][number, 0] = px[:, :joints].reshape(12, -1)
            cells["annot3"][number, 0] = mm[:, :joints].reshape(12, -1) * scale
        savemat(folder / "annot.mat", {k: v for k, v in cells.items() if k not in lacks})
        lines = ["Skeletool Camera Calibration File V1.0"]
        for number, view in enumerate(studio.views):
            fx, fy, cx, cy = studio.lenses[view][:4]
            matrix = [fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0, 0, 0, 0, 1]
            lines += [
                f"name          {number}",
                "  sensor        10 10",
                "  size          2048 2048",
            ]
            lines += ["  animated      0", f"  intrinsic     {' '.join(map(str, matrix))} "]
            lines += [f"  extrinsic     {' '.join(['0'] * 16)} ", "  radial        0"]
        calibration = folder / "camera.calibration"
        calibration.unlink(missing_ok=True)
        if lenses:
            calibration.write_text("\n".join(lines) + "\n")
        return tmp_path / "3dhp"

    return save


@pytest.fixture
def write_test(tmp_path, studio):
    def save(*, shape=(12, 1, 17), valid=None):
        folder = tmp_path / "3dhp" / "TS3"
        folder.mkdir(parents=True, exist_ok=True)
        mm, px = next(points(studio, SET17))
        with h5py.File(folder / "annot_data.mat", "w") as file:
            file["annot2"] = px.reshape(*shape, 2)
            file["annot3"] = mm.reshape(*shape, 3)
            file["valid_frame"] = np.ones((12, 1)) if valid is None else valid
        return tmp_path / "3dhp"

    return save


@pytest.mark.parametrize("lenses", [True, False])
def test_training_cells_are_cameras_and_joints_go_to_human36m(
    write_train, studio, convert_to, same_as, lenses
):
    store, report = convert_to("mpi-inf-3dhp", write_train(lenses=lenses))
    assert (report.frames, report.sequences) == (24, 2)
    for number, (mm, px) in enumerate(points(studio, SET28)):
        found, _ = map_joints(mm, SET28, H36M17)
        seen, _ = map_joints(px, SET28, H36M17)
        same_as(store, f"S1-Seq2-{number}", found, seen)
    assert "neck (from head), head (from head_top)" in report.joints


def test_the_own_28_joints_can_be_kept(write_train, studio, convert_to):
    store, _ = convert_to("mpi-inf-3dhp", write_train(), joints=SET28)
    mm, _ = next(points(studio, SET28))
    rows = store.names("view")[store["view"]] == "S1-Seq2-0"
    assert np.abs(store["root_mm"][rows] - mm[:, 4]).max() < 0.01
    assert not store["joints3d_mm"][:, 4].any()


def test_the_test_half_keeps_its_valid_frames(write_test, studio, convert_to):
    valid = np.ones((12, 1))
    valid[[2, 3]] = 0
    store, report = convert_to("mpi-inf-3dhp", write_test(valid=valid))
    mm, px = next(points(studio, SET17))
    kept = [0, 1, *range(4, 12)]
    assert store["frame"].tolist() == kept
    found = store["joints3d_mm"] + store["root_mm"][:, None].astype(float)
    assert np.abs(found - map_joints(mm, SET17, H36M17)[0][kept]).max() < 0.01
    assert np.abs(store["joints2d_px"] - map_joints(px, SET17, H36M17)[0][kept]).max() < 0.01
    assert report.remarks[0]["frames"] == 2


def test_wrong_files_are_refused(write_train, write_test, refuses, tmp_path):
    refuses("mpi-inf-3dhp", write_train(scale=0.001), "must be in mm; read so.*metres")
    refuses("mpi-inf-3dhp", write_train(joints=17), r"has \(12, 34\) and \(12, 51\)")
    refuses("mpi-inf-3dhp", write_train(lacks=["annot3"]), "lacks 'annot3'")
    root = write_train()
    path = root / "S1/Seq2/annot.mat"
    path.write_bytes(path.read_bytes()[:2000])
    refuses("mpi-inf-3dhp", root, "annot.mat: ")
    path.unlink()
    refuses("mpi-inf-3dhp", root, "holds neither of")
    refuses("mpi-inf-3dhp", write_test(shape=(12, 17, 1)), r"has \(12, 17, 1, 2\)")
    write_train()
    refuses("mpi-inf-3dhp", write_test(), "holds both of")
