import itertools

import numpy as np
import pytest
import torch

from posezoo.joint_maps import joint_map, map_confidence, map_joints, map_labels
from posezoo.skeleton import H36M17, SKELETONS

PAIRS = list(itertools.product(SKELETONS, SKELETONS))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_pair_of_sets_is_told_apart_joint_by_joint(source, target):
    source, target = SKELETONS[source], SKELETONS[target]
    rules = joint_map(source, target).rules
    assert tuple(rule.joint for rule in rules) == target.joints
    for rule in rules:
        assert (rule.quality == "impossible") == (not rule.sources)
        if rule.quality == "exact":  # the same joint of the same family
            assert target.family in (source.family, "places")
            assert target.family == "places" or source.joints[rule.sources[0]] == rule.joint
        sides = {source.joints[j].split("_")[0] for j in rule.sources} & {"left", "right"}
        if rule.joint.startswith(("left_", "right_")) and rule.sources:
            assert sides == {rule.joint.split("_")[0]}
        elif sides:  # the middle of both
            assert sides == {"left", "right"}


@pytest.mark.parametrize("estimate", [False, True])
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_mapping_a_mirrored_pose_is_mirroring_the_mapped_pose(source, target, estimate):
    source, target = SKELETONS[source], SKELETONS[target]
    points = np.random.default_rng(0).normal(size=(2, source.num_joints, 3))
    mapped, known = map_joints(points, source, target, estimate=estimate)
    mirrored, also = map_joints(points[:, source.mirror], source, target, estimate=estimate)
    assert np.allclose(mirrored, mapped[:, target.mirror])
    assert (also == known[list(target.mirror)]).all()


def test_a_set_onto_itself_changes_nothing():
    for skeleton in SKELETONS.values():
        points = np.random.default_rng(0).normal(size=(skeleton.num_joints, 2)).astype(np.float32)
        mapped, known = map_joints(points, skeleton, skeleton)
        assert (mapped == points).all()
        assert known.all()
        assert mapped.dtype == np.float32


def test_coco_gives_h36m_a_pelvis_between_the_hips_and_no_spine():
    coco = SKELETONS["coco17"]
    points = np.zeros((17, 2))
    points[coco.joints.index("left_hip")] = (10, 20)
    points[coco.joints.index("right_hip")] = (30, 26)
    points[coco.joints.index("nose")] = (7, 8)
    mapped, known = map_joints(points, coco, H36M17)
    assert mapped[0].tolist() == [20, 23]
    assert mapped[H36M17.joints.index("neck")].tolist() == [7, 8]
    assert [H36M17.joints[j] for j in np.flatnonzero(~known)] == ["spine", "head"]
    assert joint_map(coco, H36M17).joints("exact") == ()


def test_what_a_map_gives_is_said_in_words():
    text = joint_map(SKELETONS["coco17"], H36M17).describe()
    assert text.startswith("coco17 to h36m17: approximate: pelvis (the middle of left_hip and")
    assert text.endswith("coco17 has no spine, head")
    text = joint_map(SKELETONS["h36m16"], H36M17).describe()
    assert text.endswith("right_wrist; h36m16 has no neck")
    assert "approximate" not in text


@pytest.mark.parametrize(
    ("source", "target", "origin"),
    [
        ("mpii16", "h36m17", {"thorax": "upper_neck", "head": "head_top", "pelvis": "pelvis"}),
        ("3dhp28", "h36m17", {"thorax": "neck", "neck": "head", "head": "head_top"}),
        ("halpe26", "h36m17", {"pelvis": "hip", "thorax": "neck", "head": "head_top"}),
        ("cmu31", "h36m17", {"spine": "lower_back", "thorax": "thorax", "neck": "upper_neck"}),
        ("h36m17", "mpii16", {"upper_neck": "thorax", "head_top": "head"}),
        ("h36m17", "3dhp17", {"neck": "thorax", "head": "neck", "spine": "spine"}),
    ],
)
def test_joints_of_the_trunk_come_from_these(source, target, origin):
    source, target = SKELETONS[source], SKELETONS[target]
    rules = {rule.joint: rule for rule in joint_map(source, target).rules}
    for joint, name in origin.items():
        assert rules[joint].sources == (source.joints.index(name),)
        assert rules[joint].quality == "approximate"


def test_tensors_stay_tensors_and_carry_gradients():
    coco = SKELETONS["coco17"]
    points = torch.randn(4, 17, 3, requires_grad=True)
    mapped, known = map_joints(points, coco, H36M17)
    mapped[:, 0].sum().backward()
    assert points.grad is not None
    assert points.grad[:, coco.joints.index("left_hip")].eq(0.5).all()
    assert (known.dtype, known.sum()) == (torch.bool, 15)
    arrays, _ = map_joints(points.detach().numpy(), coco, H36M17)
    assert np.allclose(mapped.detach().numpy(), arrays)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_a_middle_is_known_where_both_ends_are(kind):
    coco = SKELETONS["coco17"]
    labelled = np.ones((2, 17), bool)
    labelled[1, coco.joints.index("left_hip")] = False
    known = map_labels(kind(labelled), coco, H36M17)
    lost = [H36M17.joints[j] for j in range(17) if known[0, j] and not known[1, j]]
    assert lost == ["pelvis", "left_hip"]


def test_a_joint_without_a_number_spoils_no_other():
    coco = SKELETONS["coco17"]
    points = np.ones((17, 2))
    points[coco.joints.index("left_hip")] = np.nan
    mapped, _ = map_joints(points, coco, H36M17)
    names = [H36M17.joints[j] for j in np.flatnonzero(np.isnan(mapped[:, 0]))]
    assert names == ["pelvis", "left_hip"]


def test_points_of_another_set_are_refused():
    with pytest.raises(ValueError, match=r"points are \(16, 2\), expected \(..., 17, D\): the joi"):
        map_joints(np.zeros((16, 2)), SKELETONS["coco17"], H36M17)


DETECTED = ["coco17", "coco23", "halpe26", "body25", "mpii16", "3dhp17", "blazepose33"]


@pytest.mark.parametrize("name", DETECTED)
def test_a_lifter_gets_all_its_joints_from_every_detector(name):
    rules = joint_map(SKELETONS[name], H36M17, estimate=True).rules
    assert all(rule.sources for rule in rules)
    for rule in rules:
        assert sum(rule.weights) == pytest.approx(1, abs=1e-12)  # so a moved person is moved


def standing(name, **places):
    """A person of that set with these joints, each 10 px beside the axis; all others at 0."""
    skeleton, points = SKELETONS[name], np.zeros((SKELETONS[name].num_joints, 2))
    for joint, y in places.items():
        for side, x in (("left_", 10), ("right_", -10)):
            points[skeleton.joints.index(side + joint)] = x, y
    return points


def test_a_trunk_of_100_px_gives_blazepose_these_joints_of_human36m():
    points = standing("blazepose33", hip=100, shoulder=0, ear=-30)
    mapped, known = map_joints(points, SKELETONS["blazepose33"], H36M17, estimate=True)
    found = dict(zip(H36M17.joints, mapped.tolist(), strict=True))
    assert known.all()
    expected = {
        "left_hip": (10, 94),  # 6 % of the trunk higher
        "right_hip": (-10, 94),
        "pelvis": (0, 94),
        "spine": (0, 47),
        "thorax": (0, 0),
        "head": (0, -30 - 0.83 * 30),
        "neck": (0, -0.6 * 1.83 * 30),
    }
    for joint, place in expected.items():
        assert found[joint] == pytest.approx(place, abs=1e-12), joint


def test_hips_of_others_stay_where_they_are():
    points = standing("coco17", hip=100, shoulder=0, ear=-30)
    mapped, _ = map_joints(points, SKELETONS["coco17"], H36M17, estimate=True)
    assert mapped[:2].tolist() == [[0, 100], [-10, 100]]


def test_nothing_is_estimated_unasked():
    rules = joint_map(SKELETONS["blazepose33"], H36M17).rules
    missing = [rule.joint for rule in rules if rule.quality == "impossible"]
    assert missing == ["spine", "neck", "head"]
    assert joint_map(SKELETONS["coco17"], H36M17).joints("estimated") == ()


def test_estimated_joints_are_named():
    text = joint_map(SKELETONS["body25"], H36M17, estimate=True).describe()
    assert text.endswith("; estimated: spine, neck, head")


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_a_mapped_joint_is_as_sure_as_the_least_sure_of_its_sources(kind):
    blazepose = SKELETONS["blazepose33"]
    sure = np.full((2, 33), 0.9)
    sure[1, blazepose.joints.index("left_shoulder")] = 0.2
    sure[1, blazepose.joints.index("right_knee")] = 0.3
    mapped = map_confidence(kind(sure), blazepose, H36M17, estimate=True)
    found = dict(zip(H36M17.joints, mapped[1].tolist(), strict=True))
    assert (found["thorax"], found["right_knee"], found["left_shoulder"]) == (0.2, 0.3, 0.2)
    assert found["left_hip"] == 0.9  # a shoulder is 3 % of it
    assert mapped[0].tolist() == [0.9] * 17
    unknown = map_confidence(kind(sure), blazepose, H36M17)
    assert unknown[0, H36M17.joints.index("head")] == 0


def test_a_body_model_gives_all_joints_of_h36m17_and_its_24_all_but_the_top_of_the_head():
    whole, joints = (joint_map(SKELETONS[name], H36M17) for name in ("smpl25", "smpl24"))
    assert whole.joints("impossible") == whole.joints("estimated") == ()
    assert joints.joints("impossible") == ("head",)
    assert [whole.source.joints[rule.sources[0]] for rule in whole.rules[7:11]] == [
        *("spine2", "neck", "head", "head_top"),
    ]
