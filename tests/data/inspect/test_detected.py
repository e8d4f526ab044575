"""Faults of detections, and joints that nobody found, planted into walks."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from posezoo.data.inspect.detected import measure_detections
from posezoo.data.inspect.diagnose import diagnose
from posezoo.data.mocap.mocap_file import Recording, write_mocap
from posezoo.data.store.add_detection import add_detection
from posezoo.data.store.store_file import open_store
from posezoo.skeleton import H36M17

HEAD = H36M17.joints.index("head")


@pytest.fixture(scope="module")
def walks(make_walks, tmp_path_factory):
    return make_walks(tmp_path_factory.mktemp("walks") / "walks.h5")


@pytest.fixture
def detected(walks, tmp_path):
    """The store with a detection 5 px off, changed."""

    def call(change=lambda px: px):
        true = open_store(walks)["joints2d_px"].astype(np.float64)
        px = change(true + np.random.default_rng(0).normal(0, 4, true.shape))
        out = tmp_path / "detected.h5"
        add_detection(
            walks, out, "cpn", skeleton=H36M17, px=px,
            confidence=np.isfinite(px).all(-1).astype(np.float32),
            source="cpn.npz", source_sha256="ab" * 32,
        )  # fmt: skip
        found = diagnose(out)
        return found, {each.fault: each for each in found.findings if "detection" in each.fault}

    return call


def test_a_good_detection_is_measured_and_no_fault(detected):
    found, faults = detected()
    assert faults == {}
    assert found.detections["cpn"].mean_error_px == pytest.approx(4 * np.sqrt(np.pi / 2), rel=0.05)
    assert (found.detections["cpn"].frames, found.detections["cpn"].joints) == (1.0, 1.0)


def test_half_of_one_joint_lost_is_told_and_no_fault(detected):
    def lose(px):
        px[::2, HEAD] = np.nan
        return px

    found, faults = detected(lose)
    assert faults == {}
    assert found.detections["cpn"].frames == 1.0
    assert found.detections["cpn"].joints == pytest.approx(1 - 0.5 / 17)


def test_exchanged_sides_of_one_recording_are_named(detected):
    def swap(px):
        px[:12] = px[:12][:, list(H36M17.mirror)]
        return px

    _, faults = detected(swap)
    assert [*faults] == ["detection-sides"]
    assert (faults["detection-sides"].frames, faults["detection-sides"].where) == (
        12, "S9 Walking a",
    )  # fmt: skip


def test_another_camera_s_joints_are_named(detected):
    _, faults = detected(lambda px: px / 3)
    assert [*faults] == ["detection-far"]
    assert faults["detection-far"].frames == 96
    assert "cameras in their order" in faults["detection-far"].cure


def test_nobody_found_at_all_is_said_without_numbers(walks, tmp_path):
    none = np.full((96, 17, 2), np.nan)
    out = tmp_path / "none.h5"
    add_detection(
        walks, out, "cpn", skeleton=H36M17, px=none, confidence=np.zeros((96, 17)),
        source="cpn.npz", source_sha256="ab" * 32,
    )  # fmt: skip
    found = measure_detections(open_store(out))["cpn"]
    assert (found.frames, found.mean_error_px) == (0.0, None)


@pytest.mark.parametrize(
    ("column", "fault", "text"),
    [
        ("joints2d_px", "missing-joint-2d", "labelled and exactly at (0, 0) px: head"),
        ("joints3d_mm", "missing-joint-3d", "labelled and exactly at (0, 0, 0) mm: head"),
    ],
)
def test_a_missing_joint_written_as_zeros_is_named(walks, tmp_path, column, fault, text):
    assert not [each for each in diagnose(walks).findings if "missing" in each.fault]
    path = tmp_path / "zeros.h5"
    path.write_bytes(walks.read_bytes())
    with h5py.File(path, "r+") as file:
        file[column][3:8, HEAD] = 0
    found = {each.fault: each for each in diagnose(path).findings}[fault]
    assert (found.frames, found.evidence) == (5, text)
    assert "not labelled" in found.cure
    with h5py.File(path, "r+") as file:  # marked as unknown it is no fault
        file["labelled2d"][3:8, HEAD] = 0
        file["labelled3d"][3:8, HEAD] = 0
    assert not [each for each in diagnose(path).findings if "missing" in each.fault]


def test_in_motion_capture_too(tmp_path, make_walks):
    store = open_store(make_walks(tmp_path / "walks.h5"))
    poses = store["joints3d_mm"][:12, :, [0, 2, 1]] * np.array([1, 1, -1], np.float32)
    poses = poses + np.array([0, 0, 930], np.float32)

    def faults(positions, name):
        path = tmp_path / f"{name}_poses17.h5"
        write_mocap(path, [Recording(
            subject="ann", trial="walk", action="walk", fps=10, positions_mm=positions,
            frame=np.arange(12),
        )])  # fmt: skip
        return {each.fault: each for each in diagnose(path).findings}

    assert "missing-joint-3d" not in faults(poses, "good")
    poses[4, HEAD] = 0
    found = faults(poses, "bad")["missing-joint-3d"]
    assert (found.frames, found.evidence) == (1, "labelled and exactly at (0, 0, 0) mm: head")
