"""CMU's own names in .bvh: the repair only where the collection's signs are, its unit elsewhere."""

from __future__ import annotations

import pytest

from posezoo.data.convert.bvh import read
from posezoo.data.convert.motion import MotionReport

HIERARCHY = """HIERARCHY
ROOT Hips {{
OFFSET 0 0 0
CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
{legs}
JOINT Spine {{
OFFSET 0 2 0
CHANNELS 3 Zrotation Yrotation Xrotation
JOINT Spine1 {{
OFFSET 0 2 0
CHANNELS 3 Zrotation Yrotation Xrotation
JOINT Neck {{
OFFSET 0 {neck} 0
CHANNELS 3 Zrotation Yrotation Xrotation
JOINT Head {{
OFFSET 0 2 0
CHANNELS 3 Zrotation Yrotation Xrotation
End Site {{
OFFSET 0 2 0
}}
}}
}}
{arms}
}}
}}
}}
MOTION
Frames: 1
Frame Time: 0.01
0 16 0 {zeros}
"""
TURNS = "CHANNELS 3 Zrotation Yrotation Xrotation\n"


def chain(*joints: tuple[str, str], end: str) -> str:
    opened = "".join(f"JOINT {name} {{\nOFFSET {offset}\n{TURNS}" for name, offset in joints)
    return f"{opened}End Site {{\nOFFSET {end}\n}}\n" + "}\n" * len(joints)


@pytest.fixture
def cmu(tmp_path):
    """A body of 25 units with CMU's names; what its hands end in, and its neck's bone."""

    def write(*, neck: float, hand: tuple[tuple[str, str], ...] = (), hips: bool = True):
        legs = arms = ""
        for side, sign in (("Left", 1), ("Right", -1)):
            hip = ((f"{side[0]}HipJoint", "0 0 0"),) if hips else ()
            leg = ((f"{side}UpLeg", f"{2 * sign} 0 0"), (f"{side}Leg", "0 -8 0"))
            legs += chain(*hip, *leg, (f"{side}Foot", "0 -7 0"), end="0 0 2")
            arm = ((f"{side}Arm", f"{3 * sign} 0 0"), (f"{side}ForeArm", f"{5 * sign} 0 0"))
            fingers = tuple((side + name, offset) for name, offset in hand)
            arms += chain(*arm, (f"{side}Hand", f"{4 * sign} 0 0"), *fingers, end="0 0 0")
        count = (legs + arms).count("JOINT") + 5
        path = tmp_path / "06_01.bvh"
        path.write_text(HIERARCHY.format(legs=legs, arms=arms, neck=neck, zeros="0 0 0 " * count))
        return path

    return write


def forearm_units(path, report) -> float:
    (recording,) = read(path, report=report)
    joints = recording.positions_mm[0]
    return float(abs(joints[13, 0] - joints[12, 0])) / (25.4 / 0.45)


@pytest.mark.parametrize(
    ("body", "forearm"),
    [
        ({"neck": 0, "hand": (("FingerBase", "0 0 0"),)}, 6),  # CMU's: 4 and half of 4
        ({"neck": 0}, 4),  # a hand that merely ends where it begins
        ({"neck": 2, "hand": (("FingerBase", "0 0 0"),)}, 4),  # the thorax has its bone
        ({"neck": 0, "hand": (("FingerBase", "0 0 0"),), "hips": False}, 4),
        ({"neck": 0, "hand": (("FingerBase", "1 0 0"),)}, 4),
    ],
)
def test_a_forearm_is_lengthened_only_where_all_of_the_collections_signs_are(cmu, body, forearm):
    report = MotionReport()
    assert forearm_units(cmu(**body), report) == pytest.approx(forearm, abs=1e-4)
    assert ("last third of the forearms put back" in report.repaired) == (forearm == 6)


def test_a_damaged_file_among_others_is_left_out_with_its_reason(cmu, tmp_path):
    whole = cmu(neck=2)
    (tmp_path / "06_02.bvh").write_text(whole.read_text()[:300])
    report = MotionReport()
    assert [recording.trial for recording in read(tmp_path, report=report)] == ["06_01"]
    assert len(report.left_out) == 1
    assert "06_02.bvh: line" in report.left_out[0]
    whole.write_text("nothing")
    with pytest.raises(ValueError, match=r"06_01\.bvh: line 1: .* none of 1 others can be read"):
        list(read(tmp_path))
