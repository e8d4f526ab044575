"""Heights and bones of people, against a figure that can be added up by hand."""

from __future__ import annotations

import numpy as np
import pytest

from posezoo.data.inspect.bodies import measure_bodies
from posezoo.data.inspect.evidence import Evidence
from posezoo.skeleton import H36M17, get_skeleton


def figure(bone_mm: float, frames: int = 2) -> np.ndarray:
    """Every bone of the same length, in some direction."""
    joints = np.zeros((frames, 17, 3), np.float32)
    for parent, child in H36M17.bones:
        joints[:, child] = joints[:, parent] + np.array([0.6, 0.8, 0.0]) * bone_mm
    return joints


def evidence(joints: np.ndarray, skeleton=H36M17) -> Evidence:
    zeros = np.zeros(len(joints), np.int64)
    kinds = ("subject", "action", "sequence", "view")
    return Evidence(
        path="", skeleton=skeleton, joints3d_mm=joints, root_mm=joints[:, 0],
        labelled3d=np.ones(joints.shape[:2], bool), frame=np.arange(len(joints)),
        code=dict.fromkeys(kinds, zeros), names={kind: ["anna"] for kind in kinds},
    )  # fmt: skip


def test_a_height_is_shin_thigh_and_the_four_bones_of_the_trunk():
    body = measure_bodies(evidence(figure(250.0)))["anna"]
    assert body.height_mm == pytest.approx(6 * 250)  # the hip's bone goes sideways: not counted
    assert body.spread_mm == pytest.approx(0, abs=1e-4)


def test_a_bone_that_changes_by_ten_mm_either_way_has_a_spread_of_ten():
    joints = figure(250.0)
    joints[0, 16] += np.array([6.0, 8.0, 0.0])
    joints[1, 16] -= np.array([6.0, 8.0, 0.0])
    assert measure_bodies(evidence(joints))["anna"].spread_mm == pytest.approx(10, abs=1e-4)


def test_a_joint_set_without_a_head_has_no_height():
    coco = get_skeleton("coco17")
    body = measure_bodies(evidence(figure(250.0), coco))["anna"]
    assert body.height_mm == 0


def test_people_without_all_joints_are_left_out():
    known = evidence(figure(250.0))
    known.labelled3d[:, 3] = False
    assert measure_bodies(known) == {}
