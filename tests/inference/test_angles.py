"""Angles of poses that a person can check."""

import numpy as np
import pytest

from posezoo.inference.angles import joint_angles
from posezoo.skeleton import H36M17, get_skeleton

PLACES = {  # mm, camera frame: x right, y down; facing the camera, so the left is on the right
    "left_shoulder": (180, -500, 0), "left_elbow": (180, -200, 0), "left_wrist": (180, 50, 0),
    "left_hip": (130, 0, 0), "left_knee": (130, 450, 0), "left_ankle": (130, 900, 0),
    "right_shoulder": (-180, -500, 0), "right_elbow": (-480, -500, 0),
    "right_wrist": (-480, -500, -250), "right_hip": (-130, 0, 0), "right_knee": (-130, 0, -450),
    "right_ankle": (-130, 450, -450),
}  # fmt: skip


def pose(skeleton):
    return np.array([PLACES.get(name, (0, 0, 0)) for name in skeleton.joints], float)


@pytest.mark.parametrize("joints", ["h36m17", "coco17"])
def test_angles_of_someone_with_one_leg_up_and_one_arm_out(joints):
    skeleton = get_skeleton(joints)
    angles = joint_angles(pose(skeleton), skeleton)
    trunk = np.degrees(np.arctan2(50, 500))  # the line from hip to shoulder is not quite upright
    assert angles == pytest.approx(
        {
            "left knee": 180, "right knee": 90, "left elbow": 180, "right elbow": 90,
            "left hip": 180 - trunk, "right hip": 90,
            "left shoulder": trunk, "right shoulder": 90 + trunk,
        }
    )  # fmt: skip


def test_left_is_left():
    pose_of = pose(H36M17)
    pose_of[6] += [0, -450, 450]  # the left ankle: the left knee at 90
    assert joint_angles(pose_of, H36M17)["left knee"] == pytest.approx(90)


def test_a_clip_gives_one_angle_for_each_frame_and_a_bone_without_length_none():
    clip = np.stack([pose(H36M17)] * 3)
    clip[1, 6] = clip[1, 5]
    assert joint_angles(clip, H36M17)["left knee"] == pytest.approx([180, np.nan, 180], nan_ok=True)


def test_a_set_without_legs_has_no_knees():
    upper = get_skeleton("h36m17")
    upper = type(upper)("upper", upper.joints[11:], (-1, 0, 1, -1, 3, 4), (), ())
    assert [*joint_angles(pose(upper), upper)] == ["left elbow", "right elbow"]
