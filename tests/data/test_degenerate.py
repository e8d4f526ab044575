"""Directions of no length: a bone from a point to itself, a joint in the camera's own centre."""

import warnings

import numpy as np
import pytest

from posezoo.data.convert.motion import _starts_with_t_pose
from posezoo.data.inspect.diagnose_mistakes import Rows, _rotation
from posezoo.skeleton import H36M17


def t_pose():
    """Arms straight out along x, and then a jump of 1 m in 1/100 s."""
    joints = np.zeros((2, 17, 3))
    for side, sign in (("left", 1), ("right", -1)):
        for joint, far in (("hip", 100), ("shoulder", 200), ("elbow", 500), ("wrist", 750)):
            joints[:, H36M17.joints.index(f"{side}_{joint}"), 0] = sign * far
    joints[1] += 1000
    return joints


@pytest.mark.parametrize("joint", ["left_wrist", "right_hip"])
def test_an_arm_or_hips_of_no_length_are_no_t_pose(joint):
    joints = t_pose()
    assert _starts_with_t_pose(joints, 100.0)
    index = H36M17.joints.index
    other = {"left_wrist": "left_elbow", "right_hip": "left_hip"}[joint]
    joints[:, index(joint)] = joints[:, index(other)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is divided by 0 on the way
        assert not _starts_with_t_pose(joints, 100.0)


def test_a_joint_in_the_camera_s_own_centre_does_not_spoil_the_others_rotation():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 300, (8, 17, 3)) + np.array([0, 0, 4000])
    camera = np.array([1000, 1000, 499.5, 499.5, 0, 0, 0, 0, 0, 1.0])
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # a quarter about the line of sight
    px = 1000 * points[..., :2] / points[..., 2:] + 499.5
    joints = points @ turn.T
    joints[2, 5] = 0
    rows = Rows(px, joints, np.zeros((8, 3)), np.tile(camera, (8, 1)), np.ones((8, 17), np.bool_))
    _, said = _rotation(rows)
    assert said == "by 90.0 degrees"
