import numpy as np
import pytest

from posezoo.skeleton import SKELETONS


@pytest.fixture
def write(tmp_path, studio):
    def save(*, poses=None, px=None, extra=0):
        poses = studio.world / 1000 if poses is None else poses
        people = {"S1": {"Directions 1": poses.astype(np.float32)}}
        people["S9"] = {"Directions 1": people["S1"]["Directions 1"]}
        np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=people)
        if px is not None:
            views = [np.pad(each, ((0, extra), (0, 0), (0, 0))).astype(np.float32) for each in px]
            flat = {name: {"Directions 1": views} for name in people}
            np.savez_compressed(tmp_path / "data_2d_h36m_gt.npz", positions_2d=flat, metadata={})
        return tmp_path

    return save


@pytest.fixture
def trusted(cameras):
    """What a whole file needs: its cameras, and trust, since its objects are a pickle."""
    return {"cameras": cameras, "trust": True}


@pytest.mark.parametrize("joints", [17, 32])
def test_metres_of_the_world_become_millimetres_of_each_camera(
    write, studio, trusted, convert_to, same_as, joints
):
    poses = studio.world[:, studio.used] if joints == 17 else studio.world
    folder = write(
        poses=poses / 1000, px=[studio.px(view)[:, studio.used] for view in studio.views]
    )
    store, report = convert_to("videopose3d", folder, **trusted, val="S9")
    assert (report.frames, report.sequences, report.subjects) == (48, 4, 2)
    assert store.names("subject").tolist() == ["S1", "S9"]
    assert store.names("action").tolist() == ["Directions"]
    assert store["held_out"].tolist() == [0, 1]
    for view in studio.views:
        same_as(store, view, *(np.tile(x, (2, 1, 1)) for x in (
            studio.mm(view)[:, studio.used], studio.px(view)[:, studio.used]
        )))  # fmt: skip


def test_3d_alone_is_projected_with_its_distortion(write, studio, trusted, convert_to, same_as):
    store, _ = convert_to("videopose3d", write() / "data_3d_h36m.npz", **trusted)
    for view in studio.views:
        mm, px = studio.mm(view)[:, studio.used], studio.px(view)[:, studio.used]
        same_as(store, view, np.tile(mm, (2, 1, 1)), np.tile(px, (2, 1, 1)))


def test_2d_that_is_longer_is_cut_and_said(write, studio, trusted, convert_to):
    folder = write(px=[studio.px(view)[:, studio.used] for view in studio.views], extra=3)
    _, report = convert_to("videopose3d", folder, **trusted)
    assert report.frames == 48
    reason = "2D and 3D of unequal length: cut to the same"
    assert [(each["what"], each["frames"], each["reason"]) for each in report.remarks] == [
        ("repaired", 3, reason)
    ] * 4
    assert f"repaired 12 frames in 4 pieces: {reason}" in report.lines()


def test_wrong_files_are_refused(write, studio, trusted, refuses, tmp_path):
    file = write() / "data_3d_h36m.npz"
    refuses("videopose3d", file, "no cameras: give the cameras' numbers by --cameras")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    refuses("videopose3d", file, "cut or damaged", **trusted)
    np.savez(file, positions=1)
    refuses("videopose3d", file, r"lacks 'positions_3d \(it has positions\)'", **trusted)
    write(poses=studio.world[:, :16] / 1000)
    refuses("videopose3d", file, r"holds poses of \(16, 3\)", **trusted)
    write(poses=studio.world)
    refuses("videopose3d", file, "must be in metres; read so, the body would be .* tall", **trusted)
    write(px=[studio.px(view)[:, studio.used] + 3 for view in studio.views])
    refuses("videopose3d", tmp_path, "projects 3 px .*Detected 2D is not truth", **trusted)
    write(px=[studio.px(view)[:, :5] for view in studio.views])
    refuses("videopose3d", tmp_path, r"is \(12, 5, 2\), expected", **trusted)


def test_a_program_inside_the_file_does_not_run(tmp_path, trusted, refuses):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(Evil(), object))
    refuses("videopose3d", tmp_path, r"a pickle that names .*\.open", **trusted)
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def humaneva(tmp_path, studio):
    """As VideoPose3D's prepare_data_humaneva.py writes it: chunks of the halves of a person."""
    used = [studio.used[j] for j in (0, 8, 11, 12, 13, 14, 15, 16, 4, 5, 6, 1, 2, 3, 10)]
    first = {"Walking 1 chunk0": slice(0, 4), "Jog 1 chunk0": slice(4, 8)}
    parts = {"Validate/S1": first, "Train/S1": {"Walking 1 chunk1": slice(8, 12)}}
    poses, px = {}, {}
    for person, chunks in parts.items():
        poses[person] = {n: (studio.world[s][:, used] / 1000).astype(np.float32)
                         for n, s in chunks.items()}  # fmt: skip
        px[person] = {n: [studio.px(view)[s][:, used] for view in studio.views]
                      for n, s in chunks.items()}  # fmt: skip
    np.savez_compressed(tmp_path / "data_3d_humaneva15.npz", positions_3d=poses)
    metadata = {"layout_name": "humaneva15", "num_joints": 15}
    np.savez_compressed(tmp_path / "data_2d_humaneva15_gt.npz", positions_2d=px, metadata=metadata)
    return tmp_path


def test_the_halves_of_humaneva_s_people_are_two_subjects_and_chunks_sequences(
    humaneva, studio, trusted, convert_to, same_as
):
    joints = SKELETONS["humaneva15"]
    store, report = convert_to("videopose3d", humaneva, **trusted, joints=joints, val="S1 Validate")
    assert store.names("subject").tolist() == ["S1 Train", "S1 Validate"]
    assert store["held_out"].tolist() == [0, 1]
    assert store.names("action").tolist() == ["Jog", "Walking"]
    assert store.names("sequence").tolist() == [
        "Jog 1 chunk0", "Walking 1 chunk0", "Walking 1 chunk1",
    ]  # fmt: skip
    assert report.frames == 24
    head = studio.mm(studio.views[0])[8:, studio.used[10]]
    rows = (store.names("view")[store["view"]] == studio.views[0]) & (store["subject"] == 0)
    found = store["joints3d_mm"][rows][:, 14] + store["root_mm"][rows]
    assert np.abs(found - head).max() < 0.01
