"""The named fixes of Human3.6M, on sequences of the names that converters give."""

from __future__ import annotations

import numpy as np
import pytest

from posezoo.data.convert.h36m_faults import apply_fix, fixes
from posezoo.data.store.pose_sequence import PoseSequence

CAMERA = np.array([1000.0, 1000, 500, 500, 0, 0, 0, 0, 0, 1])
TURN = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])  # world x is away from the camera, -z


def clip(subject, sequence, view="54138969"):
    joints = np.zeros((2, 17, 3))
    joints[:, 3] = 0, 500, 0
    root = np.tile([100.0, 0, 4000], (2, 1))
    points = joints + root[:, None]
    return PoseSequence(
        joints2d_px=points[..., :2] / points[..., 2:] * 1000 + 500,
        joints3d_mm=joints,
        root_mm=root,
        labelled2d=np.ones((2, 17), bool),
        labelled3d=np.ones((2, 17), bool),
        visible=np.ones((2, 17), bool),
        camera=CAMERA,
        subject=subject,
        action="",
        sequence=sequence,
        view=view,
        frame=np.arange(2),
    )


def kept(names, *sequences):
    return [(each.subject, each.sequence, each.view) for each in apply_fix(sequences, names)]


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        *(("SittingDown 1", True), ("SittingDown", False), ("SittingDown 2", False)),
        *(("SittingDown_1", True), ("SittingDown-2", True), ("SittingDown-1", False)),
        *(("S9_SittingDown_1.54138969", True), ("S9_SittingDown.54138969", False)),
        *(("Waiting 1", True), ("Waiting-1", True), ("Waiting", False), ("Greeting", True)),
        *(("Greeting 1", False), ("Walking", False)),
    ],
)
def test_only_the_shifted_sequences_of_s9_go(name, goes):
    assert kept(["drop-s9-shifted"], clip("S9", name)) == (
        [] if goes else [("S9", name, "54138969")]
    )
    assert len(kept(["drop-s9-shifted"], clip("S11", name))) == 1


def test_s11_directions_goes_in_one_view_or_in_all():
    sequences = [clip("S11", "Directions", view) for view in ("54138969", "55011271")]
    assert kept(["drop-s11-directions"], *sequences) == []
    assert kept(["drop-s11-video"], *sequences) == [("S11", "Directions", "55011271")]
    assert len(kept(["drop-s11-video"], clip("S11", "Directions 1"))) == 1
    assert len(kept([], *sequences)) == 2


def test_shifting_back_moves_root_and_2d_but_no_pose():
    before = clip("S9", "Greeting")
    (after,) = apply_fix([before], ["shift-s9-back"], world_to_camera={("S9", "54138969"): TURN})
    # -200 mm in world x is +200 mm in depth here.
    np.testing.assert_allclose(after.root_mm, [[100, 0, 4200]] * 2)
    np.testing.assert_allclose(after.joints2d_px[0, 0], [500 + 1000 * 100 / 4200, 500])
    np.testing.assert_allclose(after.joints2d_px[0, 3, 1], 500 + 1000 * 500 / 4200)
    np.testing.assert_array_equal(after.joints3d_mm, before.joints3d_mm)


def test_a_shift_without_extrinsics_says_what_else_can_be_done():
    with pytest.raises(ValueError, match="take drop-s9-shifted instead"):
        list(apply_fix([clip("S9", "Greeting")], ["shift-s9-back"]))


def test_an_unknown_fix_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown fix s9\. Known: drop-s9-shifted, shift-s9-back"):
        apply_fix([], ["s9"])
    assert len(fixes()) == 4
