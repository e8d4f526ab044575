import itertools

import numpy as np
import pytest
import torch

from posezoo.joint_maps import joint_map, map_joints, map_labels
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
            assert source.family == target.family
            assert source.joints[rule.sources[0]] == rule.joint
        sides = {source.joints[j].split("_")[0] for j in rule.sources} & {"left", "right"}
        if rule.joint.startswith(("left_", "right_")) and rule.sources:
            assert sides == {rule.joint.split("_")[0]}
        elif sides:  # the middle of both
            assert sides == {"left", "right"}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_mapping_a_mirrored_pose_is_mirroring_the_mapped_pose(source, target):
    source, target = SKELETONS[source], SKELETONS[target]
    points = np.random.default_rng(0).normal(size=(2, source.num_joints, 3))
    mapped, known = map_joints(points, source, target)
    mirrored, also = map_joints(points[:, source.mirror], source, target)
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
