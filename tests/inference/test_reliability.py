import numpy as np
import pytest

from posezoo.inference.lifting import Joints2d
from posezoo.inference.reliability import warnings_of
from posezoo.skeleton import H36M17


def told(px, confidence=None, *, score=0.9, sides_unsure=False, size=(640, 480)):
    joints = Joints2d(px=px, confidence=np.ones(17) if confidence is None else confidence)
    low, high = np.nanmin(px, 0), np.nanmax(px, 0)
    found = warnings_of(
        joints, H36M17, box_px=np.concatenate([low, high - low]), score=score,
        sides_unsure=sides_unsure, width=size[0], height=size[1],
    )  # fmt: skip
    return tuple(found)


@pytest.fixture
def whole(painted):
    return painted.project((0, 0, 3000))


def test_a_whole_person_of_half_the_picture_is_not_doubted(whole):
    assert told(whole) == ()


def test_a_person_under_a_third_of_the_picture_is_small(painted):
    (warning,) = told(painted.project((0, 0, 7000)))
    assert warning.startswith("small: 24% of the picture's longer side")


def test_low_confidence_names_the_person_or_the_joints(whole):
    (warning,) = told(whole, score=0.31)
    assert warning == "low confidence: 0.31 that this is a person"
    confidence = np.ones(17)
    confidence[[13, 16]] = 0.1
    assert told(whole, confidence) == ("low confidence: left_wrist, right_wrist",)


def test_feet_outside_the_picture_are_guessed(painted, whole):
    (warning,) = told(painted.project((0, 300, 3000)))
    assert warning.startswith("feet outside: right_ankle, left_ankle not in the picture")
    (warning,) = told(painted.project((1200, 0, 3000)))
    assert warning.startswith("outside: left_elbow, left_wrist not")


def test_exchanged_hips_are_left_and_right_unsure_and_a_side_view_is_not(whole, painted):
    crossed = whole.copy()
    crossed[[1, 4]] = crossed[[4, 1]]
    (warning,) = told(crossed)
    assert warning.startswith("left and right unsure: ")
    turn = np.deg2rad(85)
    side = painted.POSE_MM @ np.array(
        [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    )
    from_the_side = painted.project((0, 0, 3000), pose=side)
    from_the_side[1, 0] += 3  # a little noise crosses them by a hair
    assert told(from_the_side) == ()
    upside_down = whole * (1, -1) + (0, 480)
    assert told(upside_down) == ()


def test_a_detector_that_is_unsure_of_the_sides_says_so(whole):
    (warning,) = told(whole, sides_unsure=True)
    assert warning.startswith("left and right unsure: a second look, in a mirror")


def test_unknown_joints_mean_no_3d(whole):
    whole[9] = np.nan
    assert told(whole) == ("no 3D: nothing says where neck is",)
