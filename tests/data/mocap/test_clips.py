import numpy as np
import pytest
import torch

from posezoo.data.mocap.clips import Clips
from posezoo.data.mocap.mocap import Mocap
from posezoo.testing import assert_equal_up_to_rounding


def clips(sequence, frame, **window):
    return Clips(np.array(sequence), np.array(frame), **window)


def test_a_window_repeats_the_ends_of_its_sequence_and_never_leaves_it():
    five = clips([0, 0, 0, 1, 1], [0, 12, 24, 0, 12], frames=5, future=2)
    assert five.present == 2
    assert five.window(np.array([0, 2, 3])).tolist() == [
        [0, 0, 0, 1, 2],
        [0, 1, 2, 2, 2],
        [3, 3, 3, 4, 4],
    ]


def test_a_causal_window_ends_with_its_pose():
    causal = clips([0] * 5, range(5), frames=3, future=0)
    assert causal.window(np.array([4, 0])).tolist() == [[2, 3, 4], [0, 0, 0]]


def test_a_gap_of_dropped_frames_ends_a_sequence_but_uneven_rounding_does_not():
    rows = clips([0] * 7, [0, 4, 7, 11, 31, 34, 38], frames=3, future=1)
    assert rows.window(np.array([3, 4])).tolist() == [[2, 3, 3], [4, 4, 5]]


def test_a_window_has_room_for_its_pose():
    with pytest.raises(ValueError, match="frames=3, future=3: expected 0 <= future < frames"):
        clips([0], [0], frames=3, future=3)


def test_the_pose_of_a_clip_is_the_item_of_single_poses(write_mocap):
    """The same view, so that lifters of one frame and of many are judged on the same pictures."""
    path = str(write_mocap())
    single = Mocap(path=path, split="all")
    clip = Mocap(path=path, split="all", frames=5, future=1)
    assert len(clip) == len(single)
    for index in (0, 7, 12):
        a, b = single[index], clip[index]
        assert b.joints2d.shape == (5, 17, 2)
        lens = float(a.camera.parameters[:4].abs().max())  # px = focal length * ray + centre
        assert_equal_up_to_rounding(a.joints2d[0], b.joints2d[3], terms=64, magnitude=lens)
        assert_equal_up_to_rounding(a.root_mm[0], b.root_mm[3], terms=16)
        shown = b.camera.project((b.joints3d + b.root_mm[:, None]).flatten(0, 1))
        torch.testing.assert_close(shown.view(5, 17, 2), b.joints2d, atol=0.01, rtol=1e-5)


def test_who_walks_into_the_camera_or_away_stays_in_sight(make_mocap, tmp_path):
    """A runner who covers 20 m in a clip comes no nearer than 300 mm to any camera."""

    def run(positions):
        return positions + np.arange(len(positions))[:, None, None] * [2500.0, 0, 0]

    path = make_mocap(tmp_path / "run_poses17.h5", change=run)
    runner = Mocap(path=str(path), split="all", frames=9, future=4)
    for index in range(len(runner)):
        sample = runner[index]
        x, y, z = (sample.joints3d + sample.root_mm[:, None]).unbind(-1)
        assert z.min() >= 300
        assert (torch.maximum(x.abs(), y.abs()) / z).max() <= 1.0001  # within 45 degrees
