from __future__ import annotations

import numpy as np
import pytest

from posezoo.data.synthetic.body import (
    ANGLES,
    COLUMN,
    SHORTEST_MM,
    TALLEST_MM,
    bone_lengths,
    mirrored,
    stand_up,
)
from posezoo.data.synthetic.poses import pose
from posezoo.skeleton import H36M17

PELVIS, SPINE, THORAX, HEAD = 0, 7, 8, 10
LEFT_HIP, LEFT_KNEE, LEFT_ANKLE = 4, 5, 6
LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST = 11, 12, 13


def posed(**degrees: float) -> np.ndarray:
    """Joints (17, 3) of person 0 with these angles, all others 0."""
    angles = np.zeros((1, len(ANGLES)))
    for name, value in degrees.items():
        angles[0, COLUMN[name]] = np.radians(value)
    return stand_up(angles, bone_lengths(np.array([0])))[0]


def lengths_of(joints: np.ndarray) -> np.ndarray:
    parents = list(H36M17.parents[1:])
    return np.linalg.norm(joints[:, 1:] - joints[:, parents], axis=-1)


def test_a_thousand_people_are_between_150_and_195_cm_tall():
    bones = bone_lengths(np.arange(1000))
    stature = 80 + bones[:, [4, 5, 6, 7, 8, 9]].sum(1)  # left shank and thigh, trunk, neck, head
    assert stature.min() >= SHORTEST_MM - 1e-6
    assert stature.max() <= TALLEST_MM + 1e-6
    assert 1680 < stature.mean() < 1730
    assert 70 < stature.std() < 110


def test_a_person_is_the_same_on_both_sides_and_at_every_call():
    bones = bone_lengths(np.arange(50))
    left, right = np.array(H36M17.left) - 1, np.array(H36M17.right) - 1
    np.testing.assert_array_equal(bones[:, left], bones[:, right])
    np.testing.assert_array_equal(bone_lengths(np.array([7])), bones[7:8])
    assert len(np.unique(bones[:, 1])) == 50


def test_bones_keep_their_lengths_in_every_pose():
    angles, _ = pose(3, np.arange(500))
    bones = bone_lengths(np.arange(500))
    np.testing.assert_allclose(lengths_of(stand_up(angles, bones)), bones, atol=1e-6)


def test_a_standing_person_has_the_soles_on_the_floor_the_head_up_and_the_left_at_positive_y():
    joints = posed()
    np.testing.assert_allclose(joints[[3, 6], 2], 80.0, atol=1e-9)
    assert joints[HEAD, 2] == joints[:, 2].max()
    assert (joints[list(H36M17.left), 1] > 0).all()
    assert (joints[list(H36M17.right), 1] < 0).all()


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_bent_knee_takes_the_ankle_behind_and_a_bent_elbow_takes_the_wrist_ahead(side):
    knee, ankle, elbow, wrist = {"left": (5, 6, 12, 13), "right": (2, 3, 15, 16)}[side]
    joints = posed(**{f"{side}_knee": 90, f"{side}_elbow": 90})
    shank = bone_lengths(np.array([0]))[0, 2]
    assert joints[ankle, 0] - joints[knee, 0] == pytest.approx(-shank)
    assert joints[wrist, 0] - joints[elbow, 0] > 200


@pytest.mark.parametrize("side", ["left", "right"])
def test_limbs_of_a_side_move_outwards_on_their_own_side(side):
    sign = {"left": 1, "right": -1}[side]
    knee, elbow, wrist = {"left": (5, 12, 13), "right": (2, 15, 16)}[side]
    assert sign * posed(**{f"{side}_spread": 40})[knee, 1] > 300
    assert sign * posed(**{f"{side}_lift": 90})[elbow, 1] > 350  # plane 0 is sideways
    assert posed(**{f"{side}_lift": 90, f"{side}_plane": 90})[elbow, 0] > 200  # 90 is ahead
    inwards = posed(**{f"{side}_elbow": 90, f"{side}_turn": 80})
    assert sign * (inwards[wrist, 1] - inwards[elbow, 1]) < -200


def test_bowing_goes_forwards_and_lying_on_the_back_looks_up():
    assert posed(bow=60)[THORAX, 0] > 100
    assert posed(pitch=30)[THORAX, 0] > 200
    lying = posed(pitch=-90)
    assert np.ptp(lying[:, 2]) < 200
    assert posed(pitch=-90, left_hip=60)[LEFT_KNEE, 2] > lying[LEFT_KNEE, 2] + 300


def test_the_mirrored_pose_is_the_mirror_image():
    angles, _ = pose(5, np.arange(200))
    bones = bone_lengths(np.arange(200))
    image = stand_up(angles, bones)[:, list(H36M17.mirror)] * (1, -1, 1)
    np.testing.assert_allclose(stand_up(mirrored(angles), bones), image, atol=1e-6)
