import h5py
import numpy as np
import pytest


@pytest.fixture
def write(tmp_path, studio, save_picture):
    def save(*, key="pose/3d", scale=1.0, pictures=False, lacks=(), px=studio.px):
        folder = tmp_path / "processed" / "S1" / "Directions-1"
        folder.mkdir(parents=True, exist_ok=True)
        columns = {
            "pose/2d": np.concatenate([px(view) for view in studio.views]),
            key: np.concatenate([studio.mm(view) for view in studio.views]) * scale,
            "frame": np.tile(np.arange(12) * 5 + 1, 2),
            "camera": np.repeat([int(view) for view in studio.views], 12),
        }
        with h5py.File(folder / "annot.h5", "w") as file:
            for name, values in columns.items():
                if name not in lacks:
                    file[name] = values
        if pictures:
            for view in studio.views:
                for frame in range(1, 57, 5):
                    save_picture(folder / "imageSequence" / view / f"img_{frame:06d}.jpg")
        return tmp_path / "processed"

    return save


@pytest.mark.parametrize("known", [True, False])
def test_every_camera_is_a_shot_and_its_lens_given_or_found(
    write, studio, cameras, convert_to, same_as, known
):
    store, report = convert_to("h36m-fetch", write(), cameras=cameras if known else None)
    for view in studio.views:
        same_as(store, view, studio.mm(view)[:, studio.used], studio.px(view)[:, studio.used])
    assert store["frame"][:3].tolist() == [1, 6, 11]
    assert store.names("sequence").tolist() == ["Directions-1"]
    reason = "camera with its distortion fitted to 2D and 3D"
    assert [each["reason"] for each in report.remarks] == ([] if known else [reason] * 2)


def test_pictures_go_with_their_frames_and_a_lost_one_drops_its_frame(write, studio, convert_to):
    root = write(pictures=True)
    (root / "S1/Directions-1/imageSequence/54138969/img_000006.jpg").unlink()
    cut = root / "S1/Directions-1/imageSequence/54138969/img_000011.jpg"
    cut.write_bytes(cut.read_bytes()[:2000])
    store, report = convert_to("h36m-fetch", root)
    assert report.frames == 22
    assert (store["size_px"] == [1000, 1002]).all()
    assert {each["reason"][:14] for each in report.remarks if each["what"] == "dropped"} == {
        "no picture",
        "its picture is",
    }
    assert store["frame"][:3].tolist() == [1, 16, 21]


def test_the_universal_skeleton_is_said(write, convert_to):
    _, report = convert_to("h36m-fetch", write(key="pose/3d-univ"))
    assert any("universal" in line for line in report.lines())


def test_wrong_files_are_refused(write, studio, refuses, tmp_path):
    refuses("h36m-fetch", write(lacks=["pose/2d"]), "lacks .*pose/2d|cannot be read")
    refuses("h36m-fetch", write(scale=0.001), "must be in mm")
    refuses("h36m-fetch", write(px=lambda view: studio.px(view)[:, :17]), "expected pose/2d")
    rng = np.random.default_rng(0)
    detected = lambda view: studio.px(view) + rng.normal(0, 4, (12, 32, 2))  # noqa: E731
    refuses("h36m-fetch", write(px=detected), "no camera projects its 3D onto its 2D")
    root = write()
    path = root / "S1/Directions-1/annot.h5"
    path.write_bytes(path.read_bytes()[:3000])
    refuses("h36m-fetch", root, "not a whole HDF5 file")
    refuses("h36m-fetch", tmp_path / "out.h5", "no such file or folder")
