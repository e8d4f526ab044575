import pytest

from posezoo.skeleton import H36M17, SKELETONS, WHOLE_BODIES, get_skeleton

COUNTS = {
    "h36m17": 17,
    "h36m32": 32,
    "h36m16": 16,
    "integral18": 18,
    "h36m14": 14,
    "coco17": 17,
    "halpe26": 26,
    "mpii16": 16,
    "3dhp17": 17,
    "3dhp28": 28,
    "cmu31": 31,
    "humaneva15": 15,
    "blazepose33": 33,
    "smpl24": 24,
    "smpl25": 25,
    "coco23": 23,
    "body25": 25,
    "openpose18": 18,
    "places31": 31,
}


def test_the_sets_are_these():
    assert {name: s.num_joints for name, s in SKELETONS.items()} == COUNTS


@pytest.mark.parametrize("name", COUNTS)
def test_every_set_is_one_tree_of_different_joints_that_mirrors_onto_itself(name):
    skeleton = get_skeleton(name)
    assert len(set(skeleton.joints)) == skeleton.num_joints
    assert len(skeleton.bones) == skeleton.num_joints - 1
    for start in range(skeleton.num_joints):
        joint = start
        for _ in skeleton.joints:
            joint = skeleton.root if joint == skeleton.root else skeleton.parents[joint]
        assert joint == skeleton.root
    sides = {j for j, joint in enumerate(skeleton.joints) if joint.startswith(("left_", "right_"))}
    assert sides == {*skeleton.left, *skeleton.right}
    for j, twin in enumerate(skeleton.mirror):
        assert skeleton.mirror[twin] == j
        swapped = skeleton.joints[j].replace("left_", "?").replace("right_", "left_")
        assert skeleton.joints[twin] == swapped.replace("?", "right_")
        # A bone's mirror image is a bone.
        parent = skeleton.parents[j]
        assert skeleton.parents[twin] == (skeleton.mirror[parent] if parent >= 0 else -1)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("h36m17", {0: "pelvis", 1: "right_hip", 9: "neck", 10: "head", 16: "right_wrist"}),
        ("h36m16", {9: "head", 10: "left_shoulder"}),
        ("h36m14", {0: "right_hip", 6: "thorax", 13: "right_wrist"}),
        ("integral18", {7: "spine", 9: "neck", 16: "right_wrist", 17: "shoulders"}),
        ("coco17", {0: "nose", 5: "left_shoulder", 11: "left_hip", 16: "right_ankle"}),
        ("halpe26", {16: "right_ankle", 17: "head_top", 18: "neck", 19: "hip", 20: "left_big_toe"}),
        ("coco23", {16: "right_ankle", 17: "left_big_toe", 19: "left_heel", 22: "right_heel"}),
        ("body25", {0: "nose", 1: "neck", 8: "hip", 11: "right_ankle", 19: "left_big_toe"}),
        ("blazepose33", {0: "nose", 7: "left_ear", 11: "left_shoulder", 23: "left_hip"}),
        ("smpl24", {3: "spine1", 12: "neck", 15: "head", 16: "left_shoulder"}),
        ("smpl25", {7: "left_ankle", 21: "right_wrist", 24: "head_top"}),
        ("blazepose33", {16: "right_wrist", 28: "right_ankle", 31: "left_foot_index"}),
        ("mpii16", {0: "right_ankle", 6: "pelvis", 8: "upper_neck", 9: "head_top"}),
        ("3dhp17", {0: "head_top", 1: "neck", 14: "pelvis", 15: "spine", 16: "head"}),
        ("cmu31", {1: "left_hip", 6: "right_hip", 13: "thorax", 16: "head", 20: "left_wrist"}),
    ],
)
def test_joints_stand_where_everybody_has_them(name, places):
    joints = get_skeleton(name).joints
    assert {place: joints[place] for place in places} == places


def test_the_32_joints_of_human36m_hold_the_17_at_the_known_places():
    places = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    assert tuple(get_skeleton("h36m32").joints[place] for place in places) == H36M17.joints


def test_the_28_joints_of_3dhp_hold_the_17_at_the_known_places():
    places = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
    joints = get_skeleton("3dhp28").joints
    assert tuple(joints[place] for place in places) == get_skeleton("3dhp17").joints


def test_a_set_of_another_name_is_the_same_set():
    assert get_skeleton("mediapipe33") is get_skeleton("blazepose33")
    assert get_skeleton("openpose25") is get_skeleton("body25")


@pytest.mark.parametrize(("name", "joints"), [("coco_wholebody133", 23), ("halpe136", 26)])
def test_a_whole_body_begins_with_a_set_that_is_known(name, joints):
    assert get_skeleton(WHOLE_BODIES[name][1]).num_joints == joints
    assert str(WHOLE_BODIES[name][0]) in name


def test_an_unknown_set_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="Did you mean 'h36m17' or 'h36m16'"):
        get_skeleton("h36m18")


def test_points_that_nobody_has_named_hang_on_the_first():
    points = get_skeleton("points5")
    assert (points.num_joints, points.bones) == (5, ((0, 1), (0, 2), (0, 3), (0, 4)))
    assert points.mirror == (0, 1, 2, 3, 4)  # no left and no right are known
    with pytest.raises(ValueError, match="unknown joint set 'points0'"):
        get_skeleton("points0")
