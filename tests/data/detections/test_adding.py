"""The layouts are those that the public writers and loaders named in docs/data.md use."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from posezoo.data.detections.source import Ask
from posezoo.data.inspect.detected import measure_detections
from posezoo.data.store.store import Store
from posezoo.joint_maps import map_joints
from posezoo.skeleton import H36M17, SKELETONS

SIDES = {
    "h36m": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
    "mpii": [[3, 4, 5, 13, 14, 15], [0, 1, 2, 10, 11, 12]],
}


@pytest.fixture
def cpn(tmp_path, seen):
    """As VideoPose3D publishes CPN's."""

    def save(change=lambda found: found, symmetry=SIDES["h36m"], **metadata):
        path = tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz"
        said = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": symmetry} | metadata
        np.savez_compressed(path, positions_2d=change(seen), metadata=said)
        return path

    return save


def each(found, change):
    return {
        person: {name: [change(clip) for clip in views] for name, views in clips.items()}
        for person, clips in found.items()
    }


def to_mpii(clip):
    px, _ = map_joints(clip.astype(np.float64), H36M17, SKELETONS["mpii16"])
    return px.astype(np.float32)


def test_cpn_of_videopose3d_lies_frame_by_frame_beside_the_truth(cpn, seen, add, found_of, walks):
    before = walks.read_bytes()
    report, store = add("videopose3d", cpn(), name="cpn")
    for person, clips in seen.items():
        for recording, views in clips.items():
            for view, clip in zip("ab", views, strict=True):
                px, sure = found_of(store, person, recording, view, "cpn")
                assert np.array_equal(px, clip[:12])
                assert (sure == 1).all()
    assert (report.frames, report.of, report.joints) == (96, 96, "h36m17")
    assert report.mean_error_px == pytest.approx(3 * np.sqrt(np.pi / 2), rel=0.05)
    assert "cut off 16 detected frames after the last of 8 recordings" in report.notes
    assert walks.read_bytes() == before
    assert [path.name for path in walks.parent.iterdir()] == ["walks.h5"]
    kept = store.detections["cpn"]
    assert (kept.source, len(kept.source_sha256)) == ("data_2d_h36m_cpn_ft_h36m_dbb.npz", 64)
    store.verify()


def test_the_stacked_hourglass_has_mpii_s_joints_and_lacks_two_of_ours(cpn, add, walks):
    file = cpn(lambda found: each(found, to_mpii), SIDES["mpii"], num_joints=16)
    report, store = add("videopose3d", file, name="sh")
    assert store.detections["sh"].skeleton.name == "mpii16"
    assert "mpii16 has no spine, neck" in report.joints
    data = Store(path=store.path, split="all", joints2d="sh")
    batch = data.__getitems__(range(len(data)))
    lost = [H36M17.joints.index("spine"), H36M17.joints.index("neck")]
    assert batch.joints2d[:, :, lost].isnan().all()
    assert not batch.labelled2d[:, :, lost].any() and not batch.confidence[:, :, lost].any()
    kept = [j for j in range(17) if j not in lost]
    assert batch.labelled2d[:, :, kept].all() and (batch.confidence[:, :, kept] == 1).all()
    estimated = Store(path=store.path, split="all", joints2d="sh", estimate=True)
    assert estimated.__getitems__(range(96)).labelled2d.all()


def test_the_joint_set_is_what_the_file_says_of_left_and_right(cpn, add):
    with pytest.raises(ValueError, match=r"17 joints with left and right .* name it by --joints"):
        add("videopose3d", cpn(symmetry=[[1, 2], [3, 4]]))
    _, store = add("videopose3d", cpn(symmetry=[[1, 2], [3, 4]]), joints="h36m17")
    assert store.detections["found"].skeleton == H36M17
    with pytest.raises(ValueError, match="has 17 joints a person, mpii16 has 16"):
        add("videopose3d", cpn(), joints="mpii16", name="other")


def test_the_names_of_motionbert_are_those_of_its_own_store(seen, add, make_walks, tmp_path):
    store = make_walks(tmp_path / "motionbert.h5")
    renamed = {b"Walking": b"act_14_subact_01", b"Walking 1": b"act_14_subact_02"}
    with h5py.File(store, "r+") as file:
        names = [renamed[name] for name in file["sequence_names"][()]]
        digest = file["sequence_names"].attrs["sha256"]
        del file["sequence_names"]
        file["sequence_names"] = np.array(names)
        file["sequence_names"].attrs["sha256"] = digest
    px, views, sources = [], [], []
    for person, clips in seen.items():
        for take, clip in enumerate(clips.values(), 1):
            for camera, (view, rows) in enumerate(zip("ab", clip, strict=True), 1):
                px.append(rows[:12])
                views += [view] * 12
                sources += [
                    f"s_{int(person[1:]):02d}_act_14_subact_{take:02d}_ca_{camera:02d}"
                ] * 12
    half = {
        "joint_2d": np.concatenate(px), "confidence": np.full((96, 17, 1), 0.75, np.float32),
        "joint3d_image": np.zeros((96, 17, 3)), "camera_name": np.array(views), "source": sources,
    }  # fmt: skip
    empty = {name: values[:0] for name, values in half.items()}
    path = tmp_path / "h36m_sh_conf_cam_source_final.pkl"
    path.write_bytes(pickle.dumps({"train": empty, "test": half}, 4))
    report, made = add("motionbert", path, name="sh", store=store)
    assert report.frames == 96
    assert report.mean_error_px == pytest.approx(3.76, rel=0.05)
    assert (made.detections["sh"].confidence.array == 0.75).all()
    with pytest.raises(ValueError, match=r"can carry programs.*--trust"):
        add("motionbert", path, store=store, trust=False, name="again")


def test_hrnet_of_evoskeleton_has_32_joints_of_which_17_move(seen, add, found_of, tmp_path):
    used = [SKELETONS["h36m32"].joints.index(joint) for joint in H36M17.joints]
    content = {}
    for person, clips in seen.items():
        for recording, views in clips.items():
            for view, clip in zip("ab", views, strict=True):
                flat = np.zeros((12, 32, 2), np.float32)
                flat[:, used] = clip[:12]
                key = int(person[1:]), recording.split()[0], f"{recording}.{view}.h5"
                content[key] = flat.reshape(12, 64)
    for name, people in (("train", (9,)), ("test", (11,))):
        part = {key: each for key, each in content.items() if key[0] in people}
        np.save(tmp_path / f"twoDPose_HRN_{name}.npy", part, allow_pickle=True)
    report, store = add("evoskeleton", tmp_path, name="hrnet")
    assert report.frames == 96
    assert np.array_equal(
        found_of(store, "S9", "Walking 1", "b", "hrnet")[0], seen["S9"]["Walking 1"][1][:12]
    )
    with pytest.raises(ValueError, match="it is an object array, which is a pickle; give --trust"):
        add("evoskeleton", tmp_path / "twoDPose_HRN_test.npy", trust=False, name="again")


def test_the_files_of_3d_pose_baseline_say_who_and_which_camera(seen, add, tmp_path):
    for person, clips in seen.items():
        folder = tmp_path / "h36m" / person / "StackedHourglass"
        folder.mkdir(parents=True)
        for recording, views in clips.items():
            for view, clip in zip("ab", views, strict=True):
                with h5py.File(folder / f"{recording.replace(' ', '_')}.{view}.h5", "w") as file:
                    file["poses"] = to_mpii(clip)
    report, store = add("stacked-hourglass", tmp_path / "h36m", name="sh")
    assert report.frames == 96
    assert store.detections["sh"].skeleton.name == "mpii16"
    (tmp_path / "h36m/S9/StackedHourglassFineTuned240").mkdir()
    (tmp_path / "h36m/S9/StackedHourglassFineTuned240/Walking.a.h5").touch()
    with pytest.raises(ValueError, match="expected the files of one detector"):
        add("stacked-hourglass", tmp_path / "h36m", name="again")


def test_one_s_own_predictions_are_those_of_the_person_nearest_to_the_truth(
    seen, add, found_of, tmp_path
):
    clip = seen["S9"]["Walking"][0].astype(float)
    frames = []
    for px in clip[:10]:  # the last two frames of the store have none
        people = [
            {"id": n, "score": 0.9, "box_px": [0, 0, 9, 9], "detected": {
                "joint_set": "h36m17", "joints2d_px": (px + shift).tolist(),
                "confidence": [0.5] * 16 + [0.0],
            }}
            for n, shift in enumerate((400, 0))
        ]  # fmt: skip
        frames.append({"source": "x.mp4", "width": 1000, "height": 1000, "people": people})
    path = tmp_path / "seen.json"
    path.write_text(json.dumps({"posezoo": "prediction", "frames": frames}))
    report, store = add("keypoints", path, recording=("S9", "Walking", "a"))
    px, sure = found_of(store, "S9", "Walking", "a")
    assert np.array_equal(px[:10, :16], clip[:10, :16].astype(np.float32))
    assert np.isnan(px[:10, 16]).all() and (sure[:10, 16] == 0).all()
    assert np.isnan(px[10:]).all()
    assert (report.frames, report.of) == (10, 96)
    assert "10 frames show several people: the one nearest to the truth" in report.notes
    assert "nothing found in 2 frames of 1 recordings" in "".join(report.notes)
    folder = tmp_path / "all" / "S9" / "Walking"
    folder.mkdir(parents=True)
    (folder / "a.json").write_bytes(path.read_bytes())
    again, _ = add("keypoints", tmp_path / "all", name="again")
    assert again.frames == 10
    with pytest.raises(ValueError, match="give --of SUBJECT/SEQUENCE/VIEW"):
        add("keypoints", tmp_path, name="third")


def test_a_joint_at_0_0_is_one_that_was_not_found(cpn, add, found_of):
    def lose(clip):
        clip = clip.copy()
        clip[3, 10] = 0
        return clip

    _, store = add("videopose3d", cpn(lambda found: each(found, lose)))
    px, sure = found_of(store, "S9", "Walking", "a")
    assert np.isnan(px[3, 10]).all() and sure[3, 10] == 0
    assert sure.sum() == 12 * 17 - 1


@pytest.mark.parametrize(
    "change",
    [
        lambda found: each(found, lambda clip: clip / 1000 * 2 - 1),  # normalised
        lambda found: each(found, lambda clip: clip[:, ::-1].copy()),  # another joint order
        lambda found: {p: {r: v[::-1] for r, v in c.items()} for p, c in found.items()},  # cameras
    ],
)
def test_joints_that_are_nowhere_near_the_truth_are_refused(cpn, add, change, tmp_path):
    with pytest.raises(
        ValueError, match=r"its detected joints are \d+ px \(median\) from the true"
    ):
        add("videopose3d", cpn(change))
    assert not (tmp_path / "found.h5").exists()


def test_a_joint_beyond_every_picture_is_refused_and_the_file_named(cpn, add):
    path = cpn(lambda found: each(found, lambda clip: np.where(clip > 600, 1e30, clip)))
    with pytest.raises(ValueError, match=r"joints 1e\+30 px away from the picture's") as error:
        add("videopose3d", path)
    assert str(error.value).startswith(str(path))


def test_the_camera_file_tells_the_order_of_cameras(cpn, add, tmp_path):
    lens = {"fx": 1000, "fy": 1000, "cx": 499.5, "cy": 499.5, "width": 1000, "height": 1000,
            "distortion_k1_k2_p1_p2_k3": [0, 0, 0, 0, 0]}  # fmt: skip
    stands = [{"id": view, "R_world_to_camera": np.eye(3).tolist(), "position_mm": [0, 0, 0]}
              for view in "ba"]  # fmt: skip
    cameras = tmp_path / "cameras.json"
    cameras.write_text(json.dumps({
        "intrinsics": [{"id": view, **lens} for view in "ab"],
        "extrinsics": {"S9": stands, "S11": stands}, "tangential_factor": 1,
    }))  # fmt: skip
    turned = cpn(lambda found: {p: {r: v[::-1] for r, v in c.items()} for p, c in found.items()})
    report, _ = add("videopose3d", turned, cameras=cameras)
    assert report.mean_error_px == pytest.approx(3.76, rel=0.05)
    with pytest.raises(ValueError, match="3 cameras without names, the store has 2 of S9"):
        add("videopose3d", cpn(lambda found: {p: {r: [*v, v[0]] for r, v in c.items()}
                                              for p, c in found.items()}), name="b")  # fmt: skip


def test_what_does_not_belong_together_is_refused(cpn, add, tmp_path, walks):
    others = cpn(lambda found: {"S5": found["S9"]})
    with pytest.raises(
        ValueError, match="no recording of the detections is in the store: they have S5"
    ):
        add("videopose3d", others)
    report, _ = add("videopose3d", cpn(lambda found: found | {"S5": found["S9"]}))
    assert "left out 4 recordings not in the store" in "".join(report.notes)
    with pytest.raises(ValueError, match=r"has a detection found already; take another --name"):
        add("videopose3d", cpn(), store=tmp_path / "found.h5")
    with pytest.raises(ValueError, match="--name CPN: expected lower-case letters"):
        add("videopose3d", cpn(), name="CPN")
    with pytest.raises(ValueError, match="is an object array, which is a pickle"):
        add("videopose3d", cpn(), trust=False, name="untrusted")
    file = cpn()
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ValueError, match="cut or damaged"):
        add("videopose3d", file, name="cut")
    assert Ask(path=file).trust is False
    assert sorted(path.name for path in walks.parent.iterdir()) == ["walks.h5"]


def test_a_second_detection_stands_beside_the_first(cpn, add):
    _, first = add("videopose3d", cpn(), name="one")
    shifted = cpn(lambda found: each(found, lambda clip: clip + 10))
    _, both = add("videopose3d", shifted, name="two", store=Path(first.path))
    assert [*both.detections] == ["one", "two"]
    found = measure_detections(both)
    assert found["one"].mean_error_px == pytest.approx(3.76, rel=0.05)
    assert found["two"].mean_error_px == pytest.approx(np.hypot(10, 10), rel=0.08)


def test_a_store_that_counts_from_1_is_said_and_told(cpn, add, seen, found_of, walks, tmp_path):
    store = tmp_path / "from1.h5"
    store.write_bytes(walks.read_bytes())
    with h5py.File(store, "r+") as file:
        file["frame"][()] = file["frame"][()] + 1
    report, _ = add("videopose3d", cpn(), store=store)
    assert "give --first-frame 1" in "".join(report.notes)
    report, made = add("videopose3d", cpn(), store=store, first_frame=1, name="right")
    assert np.array_equal(
        found_of(made, "S9", "Walking", "a", "right")[0], seen["S9"]["Walking"][0][:12]
    )
    assert "first-frame" not in "".join(report.notes)
