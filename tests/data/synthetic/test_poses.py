from __future__ import annotations

import numpy as np
import pytest

from posezoo.data.synthetic.activities import ACTIVITIES, NAMES
from posezoo.data.synthetic.body import ANGLES, COLUMN, LIMITS_DEG, bone_lengths, stand_up
from posezoo.data.synthetic.poses import pose

COUNT = 4000


@pytest.fixture(scope="module")
def poses():
    """Joints (4000, 17, 3) mm and the names of their activities."""
    angles, activity = pose(0, np.arange(COUNT))
    return stand_up(angles, bone_lengths(np.arange(COUNT))), np.array(NAMES)[activity]


def test_no_joint_goes_beyond_its_limits():
    angles, _ = pose(0, np.arange(COUNT))
    degrees = np.degrees(angles)
    low, high = np.array([LIMITS_DEG[name] for name in ANGLES]).T
    assert (degrees >= low - 1e-9).all()
    assert (degrees <= high + 1e-9).all()
    for hinge in ("left_knee", "right_knee", "left_elbow", "right_elbow"):
        assert degrees[:, COLUMN[hinge]].min() >= 0
        assert degrees[:, COLUMN[hinge]].std() > 20


def test_every_activity_comes_in_its_share(poses):
    _, names = poses
    total = sum(activity.share for activity in ACTIVITIES)
    for activity in ACTIVITIES:
        share = (names == activity.name).mean()
        assert share == pytest.approx(activity.share / total, abs=0.02)


def test_a_pose_is_a_function_of_seed_and_index_alone():
    angles, activity = pose(1, np.array([5, 9, 1 << 40]))
    alone, its_activity = pose(1, np.array([1 << 40]))
    np.testing.assert_array_equal(angles[2:], alone)
    assert activity[2] == its_activity[0]
    assert not np.array_equal(pose(2, np.array([5]))[0], angles[:1])


def test_all_bodies_rest_on_the_floor_and_none_sinks_into_it(poses):
    joints, _ = poses
    lowest = joints[..., 2].min(1)
    assert lowest.min() > 0
    assert lowest.max() < 100


def test_legs_of_walkers_go_in_turn(poses):
    joints, names = poses
    walk = joints[names == "walk"]
    ahead = walk[:, [3, 6], 0]
    assert np.corrcoef(ahead.T)[0, 1] < -0.5
    assert 200 < np.abs(ahead[:, 0] - ahead[:, 1]).mean() < 700


@pytest.mark.parametrize(
    ("activity", "lowest_mm", "highest_mm"),
    [
        ("stand", 720, 1120),
        ("sit", 330, 720),
        ("crouch", 120, 940),
        ("sit on the floor", 80, 260),
        ("sit cross-legged", 80, 280),
        ("lie on the back", 80, 250),
        ("lie on the front", 80, 250),
    ],
)
def test_the_pelvis_is_as_high_as_the_activity_says(poses, activity, lowest_mm, highest_mm):
    joints, names = poses
    height = joints[names == activity, 0, 2]
    low, high = np.percentile(height, [2, 98])
    assert low > lowest_mm
    assert high < highest_mm


def test_half_of_the_kicks_are_with_the_left_foot(poses):
    joints, names = poses
    kick = joints[names == "kick"]
    assert 0.35 < (kick[:, 6, 2] > kick[:, 3, 2]).mean() < 0.65


def test_both_sides_do_the_same_kinds_of_things(poses):
    joints, _ = poses
    left, right = joints[:, 13], joints[:, 16] * (1, -1, 1)
    assert np.abs(left.mean(0) - right.mean(0)).max() < 30
