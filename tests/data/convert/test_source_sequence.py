import numpy as np
import pytest

from posezoo.data.convert.recipe import Options, Remarks
from posezoo.data.convert.source_sequence import SourceSequence, finish
from posezoo.skeleton import H36M17, SKELETONS

VIEW = "54138969"


@pytest.fixture
def recording(studio):
    def make(**changes):
        numbers = {
            "skeleton": H36M17,
            **dict.fromkeys(("subject", "action", "sequence"), "x"),
            "view": VIEW,
            "frame": np.arange(12),
            "camera": np.array([*studio.lenses[VIEW], 1.0]),
            "camera_mm": studio.mm(VIEW)[:, studio.used].copy(),
            "px": studio.px(VIEW)[:, studio.used].copy(),
            "size_px": (1000, 1002),
        }
        return SourceSequence(**numbers | changes)

    return make


def read(recording, joints=H36M17):
    remarks = Remarks("recording")
    sequences = finish(recording, Options(joints=joints), remarks)
    return (sequences[0] if sequences else None), [
        (each.frames, each.reason) for each in remarks.remarks
    ]


def test_frames_that_cannot_be_used_are_dropped_and_counted(recording):
    made = recording()
    made.camera_mm[0], made.px[0] = np.nan, np.nan
    made.camera_mm[1, 4, 2] = -10
    made.px[2, 3] += 2
    clip, dropped = read(made)
    assert clip.frame.tolist() == [*range(3, 12)]
    assert dropped == [
        (1, "no joint has a number"),
        (1, "joints behind the camera"),
        (1, "2D is not the 3D seen"),
    ]


def test_poses_hang_on_their_root(recording, studio):
    clip, _ = read(recording())
    mm = studio.mm(VIEW)[:, studio.used]
    assert not clip.joints3d_mm[:, 0].any()
    assert np.abs(clip.joints3d_mm[:, 16] - (mm[:, 16] - mm[:, 0])).max() < 1e-9


def test_a_pose_without_its_root_keeps_its_2d_only(recording):
    made = recording()
    made.camera_mm[5, 0] = np.nan
    clip, _ = read(made)
    assert not clip.labelled3d[5].any()
    assert not clip.joints3d_mm[5].any()
    assert not clip.root_mm[5].any()
    assert clip.labelled2d[5].all()
    assert clip.labelled3d.sum() == 11 * 17


def test_joints_outside_the_picture_are_labelled_but_not_visible(recording):
    clip, _ = read(recording(size_px=(10, 10)))
    assert clip.labelled2d.all()
    assert not clip.visible.any()


def test_the_middle_of_two_joints_is_seen_where_the_3d_middle_is(recording, studio):
    # Hips 240 mm apart in depth: the middle of their pixels is 0.3 px from their middle's pixel.
    set14 = SKELETONS["h36m14"]
    rows = [H36M17.joints.index(joint) for joint in set14.joints]
    mm, px = studio.mm(VIEW)[:, studio.used][:, rows], studio.px(VIEW)[:, studio.used][:, rows]
    leg = [3, 4, 5]  # as a whole, so that its bones stay those of a person
    mm[:, leg, 2] += 800
    lens = studio.lenses[VIEW]
    x, y = mm[:, leg, 0] / mm[:, leg, 2], mm[:, leg, 1] / mm[:, leg, 2]
    r = x * x + y * y
    gain = 1 + lens[4] * r + lens[5] * r**2 + lens[6] * r**3 + lens[7] * y + lens[8] * x
    px[:, leg, 0] = lens[0] * (x * gain + lens[8] * r) + lens[2]
    px[:, leg, 1] = lens[1] * (y * gain + lens[7] * r) + lens[3]
    clip, dropped = read(recording(skeleton=set14, camera_mm=mm, px=px))
    assert dropped == []
    middle = (mm[:, 0] + mm[:, 3]) / 2
    assert np.abs(clip.root_mm - middle).max() < 1e-9
    x, y = middle[:, 0] / middle[:, 2], middle[:, 1] / middle[:, 2]
    r = x * x + y * y
    gain = 1 + lens[4] * r + lens[5] * r**2 + lens[6] * r**3 + lens[7] * y + lens[8] * x
    seen = lens[0] * (x * gain + lens[8] * r) + lens[2]
    assert np.abs(clip.joints2d_px[:, 0, 0] - seen).max() < 1e-6
    assert np.abs((px[:, 0, 0] + px[:, 3, 0]) / 2 - seen).max() > 0.5


def test_a_recording_that_cannot_be_right_is_refused(recording):
    with pytest.raises(ValueError, match="everybody is behind the camera"):
        read(recording(camera_mm=recording().camera_mm * [1, 1, -1]))
    with pytest.raises(ValueError, match=r"must be in mm; read so, .* look like metres"):
        read(recording(camera_mm=recording().camera_mm / 1000))
    with pytest.raises(ValueError, match=r"projects 5 px \(median\) away from its 2D"):
        read(recording(px=recording().px + 5))


def test_a_recording_of_nothing_is_no_sequence(recording):
    empty = recording(camera_mm=np.full((12, 17, 3), np.nan), px=None)
    assert read(empty) == (None, [(12, "no joint has a number")])
