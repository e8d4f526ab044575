import sys

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path, studio):
    writer = pytest.importorskip("cdflib.cdfwrite", reason="pip install posezoo[convert]")

    def cdf(path, values):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        file = writer.CDF(path, cdf_spec={"Compressed": 0})
        spec = {
            "Variable": "Pose",
            "Data_Type": 44,
            "Num_Elements": 1,
            "Rec_Vary": True,
            "Dim_Sizes": list(values.shape[1:]),
            "Var_Type": "zVariable",
        }
        file.write_var(spec, var_data=values.astype(np.float32))
        file.close()

    def save(*, world=False, above="MyPoseFeatures", prefix="", scale=1.0, extra=0, joints=32):
        folder = tmp_path / "h36m" / "S1" / above
        if world:
            path = folder / f"{prefix}D3_Positions" / "Directions 1.cdf"
            cdf(path, studio.world.reshape(1, 12, 96) * scale)
            return tmp_path / "h36m"
        for view in studio.views:
            mm = studio.mm(view)[:, :joints].reshape(1, 12, -1) * scale
            px = np.pad(studio.px(view).reshape(1, 12, 64), ((0, 0), (0, extra), (0, 0)))
            cdf(folder / f"{prefix}D3_Positions_mono" / f"Directions 1.{view}.cdf", mm)
            cdf(folder / f"{prefix}D2_Positions" / f"Directions 1.{view}.cdf", px)
        return tmp_path / "h36m"

    return save


@pytest.mark.parametrize(("above", "prefix"), [("MyPoseFeatures", ""), ("", "Poses_")])
def test_the_camera_frame_and_the_pixels_are_taken_as_they_are(
    write, studio, convert_to, same_as, above, prefix
):
    store, report = convert_to("h36m-cdf", write(above=above, prefix=prefix, extra=2))
    assert (report.frames, report.sequences) == (24, 2)
    for view in studio.views:
        same_as(store, view, studio.mm(view)[:, studio.used], studio.px(view)[:, studio.used])
    assert store.names("action").tolist() == ["Directions"]
    assert "repaired 4 frames in 2 pieces: 2D and 3D of unequal length" in "".join(report.lines())


def test_world_poses_are_seen_by_given_cameras(write, studio, cameras, convert_to, same_as):
    store, _ = convert_to("h36m-cdf", write(world=True), cameras=cameras)
    for view in studio.views:
        same_as(store, view, studio.mm(view)[:, studio.used], studio.px(view)[:, studio.used])


def test_wrong_files_are_refused(write, cameras, refuses, tmp_path):
    refuses("h36m-cdf", write(world=True), "world's frame only: give .*--cameras")
    refuses("h36m-cdf", write(scale=0.001), "must be in mm", cameras=cameras)
    refuses("h36m-cdf", write(joints=17), r"is \(1, 12, 51\), expected \(1, F, 96\)")
    root = write()
    pose = next(root.rglob("D3_Positions_mono/*.cdf"))
    pose.write_bytes(pose.read_bytes()[:600])
    refuses("h36m-cdf", root, "expected a CDF file with Pose")
    pose.write_bytes(b"<html>not found</html>" * 9)
    refuses("h36m-cdf", root, "expected a CDF file with Pose")
    next(root.rglob("D2_Positions/*.cdf")).unlink()
    (tmp_path / "empty").mkdir()
    refuses("h36m-cdf", tmp_path / "empty", "no D3_Positions_mono")


def test_without_cdflib_it_is_said_what_to_install(monkeypatch, tmp_path):
    from posezoo.data.convert.h36m_cdf import read
    from posezoo.data.convert.recipe import Options

    monkeypatch.setitem(sys.modules, "cdflib", None)
    with pytest.raises(ImportError, match=r"pip install 'posezoo\[convert\]'"):
        read(tmp_path, Options())
