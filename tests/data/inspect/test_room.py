"""People who stand in a room as people do, and faults planted into them."""

from __future__ import annotations

import numpy as np
import pytest

from posezoo.data.inspect.diagnose import diagnose
from posezoo.data.mocap.mocap_file import Recording, write_mocap
from posezoo.data.units import check_body, height_mm
from posezoo.skeleton import H36M17

STANDING_MM = np.array([
    (0, 0, 930), (-110, 0, 920), (-120, -10, 490), (-125, 20, 90),
    (110, 0, 920), (120, -10, 490), (125, 20, 90),
    (0, 10, 1160), (0, 20, 1400), (0, 0, 1500), (0, -10, 1600),
    (150, 20, 1390), (300, 30, 1180), (420, 0, 1000),
    (-150, 20, 1390), (-300, 30, 1180), (-420, 0, 1000),
], float)  # fmt: skip
FRAMES = 20


@pytest.fixture
def faults(tmp_path):
    def call(change=lambda joints: joints):
        walk = STANDING_MM + 40.0 * np.arange(FRAMES)[:, None, None] * np.array([1, 0.5, 0])
        path = tmp_path / "one_poses17.h5"
        write_mocap(path, [Recording(
            subject="ann", trial="walk", action="walk", fps=10,
            positions_mm=change(walk).astype(np.float32), frame=np.arange(FRAMES),
        )])  # fmt: skip
        return {each.fault: each for each in diagnose(path).findings}

    return call


def test_a_sound_walk_has_no_fault(faults):
    assert faults() == {}


def test_feet_a_metre_above_the_floor_are_named(faults):
    fault = faults(lambda joints: joints + np.array([0, 0, 860]))["off-the-floor"]
    assert fault.frames == FRAMES
    assert "lowest ankle of a recording is 950 mm above" in fault.evidence
    assert "--root-offset" in fault.cure


def test_a_giant_is_named_though_its_thigh_may_pass(faults):
    fault = faults(lambda joints: joints * 1.4)["height"]  # a thigh of 604 mm
    assert "2.4" in fault.evidence or "mm tall" in fault.evidence
    assert "--unit" in fault.cure


def test_bones_of_no_person_are_named(faults):
    def torn(joints):
        joints = joints.copy()
        joints[:, [3, 16]] = joints[:, [16, 3]]  # right ankle and right wrist exchanged
        return joints

    assert "no person has such bones" in faults(torn)["no-body"].evidence


def test_a_height_is_legs_and_trunk_and_a_twentieth():
    legs = np.hypot(np.hypot(10, 10), 430) + np.sqrt(5**2 + 30**2 + 400**2)
    steps = np.diff(STANDING_MM[[0, 7, 8, 9, 10]], axis=0)
    trunk = np.linalg.norm(steps, axis=1).sum()
    assert height_mm(STANDING_MM[None], H36M17) == pytest.approx(1.05 * (legs + trunk))


@pytest.mark.parametrize(("factor", "unit"), [(0.1, "centimetres"), (1 / 25.4, "inches")])
def test_the_unit_of_the_files_own_numbers_is_named(factor, unit):
    with pytest.raises(ValueError, match=f"expected 900 to 2200: the numbers look like {unit}"):
        check_body(STANDING_MM[None] * factor, H36M17)
    # Read as ASF's units, which they are not: the guess is about the numbers of the file.
    asf = 25.4 / 0.45
    with pytest.raises(ValueError, match=f"look like {unit}"):
        check_body(STANDING_MM[None] * factor * asf, H36M17, size_of_unit=asf)
