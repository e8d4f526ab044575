import pickle

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path, studio):
    def half(subject, *, test):
        poses, views, sources, factors = [], [], [], []
        for number, view in enumerate(studio.views, 1):
            mm = studio.mm(view)[:, studio.used]
            root = mm[:, :1]
            # The box of 2000 mm around the root, in px, and one px more.
            fx = studio.lenses[view][0]
            box = (
                fx * (root[..., 0] + 1000) / root[..., 2]
                - fx * (root[..., 0] - 1000) / root[..., 2]
            )
            ratio = (box + 1) / 2000
            flat = studio.px(view, distorted=False)[:, studio.used]
            depth = ratio * (mm[..., 2] - root[..., 2])
            poses.append(np.concatenate([flat, depth[..., None]], -1))
            views += [view] * 12
            sources += [f"s_{subject:02d}_act_05_subact_02_ca_{number:02d}"] * 12
            factors.append(1 / ratio[:, 0])
        content = {
            "joint_2d": np.zeros((24, 17, 2), np.float32),
            "confidence": np.ones((24, 17, 1), np.float32),
            "joint3d_image": np.concatenate(poses),
            "camera_name": np.array(views),
            "source": sources,
        }
        if test:
            content |= {"2.5d_factor": np.concatenate(factors), "action": ["Greeting"] * 24}
        return content

    def save(*, protocol=4, change=lambda content: None):
        content = {"train": half(1, test=False), "test": half(9, test=True)}
        change(content)
        path = tmp_path / "h36m_sh_conf_cam_source_final.pkl"
        path.write_bytes(pickle.dumps(content, protocol))
        return path

    return save


@pytest.mark.parametrize("protocol", [2, 4])
def test_the_test_half_becomes_true_3d_and_the_training_half_2d(
    write, studio, cameras, convert_to, protocol
):
    store, report = convert_to(
        "motionbert", write(protocol=protocol), trust=True, cameras=cameras, val="S9"
    )
    people, names = store.names("subject")[store["subject"]], store.names("view")[store["view"]]
    assert store.names("action").tolist() == ["Greeting"]
    for view in studio.views:
        rows = (people == "S9") & (names == view)
        found = store["joints3d_mm"][rows] + store["root_mm"][rows][:, None].astype(float)
        assert np.abs(found - studio.mm(view)[:, studio.used]).max() < 0.01
        for person in ("S1", "S9"):
            rows = (people == person) & (names == view)
            px = store["joints2d_px"][rows] - studio.px(view)[:, studio.used]
            assert np.abs(px).max() < 0.01
    assert not store["labelled3d"][people == "S1"].any()
    assert store["labelled2d"].all()
    assert "no scale in the training half: kept as 2D" in "".join(report.lines())


def test_without_trust_nothing_is_read_and_the_refusal_says_what_trust_means(write, refuses):
    refuses("motionbert", write(), "can carry programs.*--trust.*runs nothing")


def test_a_program_inside_the_file_does_not_run_even_with_trust(write, cameras, refuses, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = write(change=lambda content: content["train"].update(source=Evil()))
    refuses("motionbert", path, r"names .*\.open; only plain values", trust=True, cameras=cameras)
    assert not (tmp_path / "ran").exists()


def test_wrong_files_are_refused(write, cameras, refuses):
    options = {"trust": True, "cameras": cameras}
    path = write(change=lambda content: content["test"].pop("joint3d_image"))
    refuses("motionbert", path, "lacks 'joint3d_image'", **options)
    short = lambda content: content["test"].update(joint3d_image=np.zeros((24, 16, 3)))  # noqa: E731
    refuses("motionbert", write(change=short), r"is \(24, 16, 3\)", **options)
    metres = lambda content: content["test"].update({"2.5d_factor": np.full(24, 4e-3)})  # noqa: E731
    refuses("motionbert", write(change=metres), "must be in mm", **options)
    path = write()
    path.write_bytes(path.read_bytes()[:3000])
    refuses("motionbert", path, "a cut or damaged pickle", **options)
    refuses("motionbert", write(), "no lenses: give the cameras", trust=True)
