"""ASF/AMC: a body of straight bones whose joints can be computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posezoo.data.convert.asf_amc import read, read_asf
from posezoo.data.convert.motion import MotionReport
from posezoo.data.mocap.mocap_file import read_mocap, write_mocap
from posezoo.skeleton import H36M17

UNIT = 25.4 / 0.45  # mm: one ASF unit at length 0.45
JOINT = {name: number for number, name in enumerate(H36M17.joints)}
# name, parent, direction, length in units, axis in degrees, degrees of freedom
BONES = [
    ("lhipjoint", "root", (1, 0, 0), 2, (0, 0, 0), ""),
    ("lfemur", "lhipjoint", (0, -1, 0), 8, (0, 0, 20), "rx ry rz"),
    ("ltibia", "lfemur", (0, -1, 0), 7, (0, 0, 20), "rx"),
    ("rhipjoint", "root", (-1, 0, 0), 2, (0, 0, 0), ""),
    ("rfemur", "rhipjoint", (0, -1, 0), 8, (0, 0, 0), "rx ry rz"),
    ("rtibia", "rfemur", (0, -1, 0), 7, (0, 0, 0), "rx"),
    ("lowerback", "root", (0, 1, 0), 2, (0, 0, 0), "rx ry rz"),
    ("upperback", "lowerback", (0, 1, 0), 2, (0, 0, 0), ""),
    ("thorax", "upperback", (0, 1, 0), 2, (0, 0, 0), ""),
    ("lowerneck", "thorax", (0, 1, 0), 1, (0, 0, 0), ""),
    ("upperneck", "lowerneck", (0, 1, 0), 1, (0, 0, 0), ""),
    ("head", "upperneck", (0, 1, 0), 2, (0, 0, 0), ""),
    ("lclavicle", "thorax", (1, 0, 0), 3, (0, 0, 0), ""),
    ("lhumerus", "lclavicle", (1, 0, 0), 5, (0, 0, 0), "rx ry rz"),
    ("lradius", "lhumerus", (1, 0, 0), 3, (0, 0, 0), ""),
    ("lwrist", "lradius", (1, 0, 0), 1.5, (0, 0, 0), ""),
    ("rclavicle", "thorax", (-1, 0, 0), 3, (0, 0, 0), ""),
    ("rhumerus", "rclavicle", (-1, 0, 0), 5, (0, 0, 0), ""),
    ("rradius", "rhumerus", (-1, 0, 0), 3, (0, 0, 0), ""),
    ("rwrist", "rradius", (-1, 0, 0), 1.5, (0, 0, 0), ""),
]
REST = {"root": "0 16 0 0 0 0", "lfemur": "0 0 0", "ltibia": "0", "rfemur": "0 0 0", "rtibia": "0"}
REST |= {"lowerback": "0 0 0", "lhumerus": "0 0 0"}


def asf_text(length: str = "length 0.45") -> str:
    lines = [":version 1.10", ":units", "  mass 1.0", f"  {length}", "  angle deg", ":root"]
    lines += ["  order TX TY TZ RX RY RZ", "  axis XYZ", "  position 0 0 0"]
    lines += ["  orientation 0 0 0", ":bonedata"]
    for number, (name, _, direction, size, axis, dof) in enumerate(BONES, 1):
        lines += ["  begin", f"    id {number}", f"    name {name}"]
        lines += [f"    direction {' '.join(map(str, direction))}", f"    length {size}"]
        lines += [f"    axis {' '.join(map(str, axis))} XYZ"]
        if dof:
            lines += [f"    dof {dof}", "    limits (-160 20)", *["      (-70 70)"] * 2]
        lines += ["  end"]
    lines += [":hierarchy", "  begin", *(f"    {parent} {name}" for name, parent, *_ in BONES)]
    return "\n".join([*lines, "  end", ""])


def amc_text(*changes: dict[str, str]) -> str:
    lines = ["#!OML:ASF C:\\old\\file", ":FULLY-SPECIFIED", ":DEGREES"]
    for number, change in enumerate(changes, 1):
        lines += [str(number), *(f"{bone} {value}" for bone, value in (REST | change).items())]
    return "\n".join([*lines, ""])


@pytest.fixture
def capture(tmp_path: Path):
    """Write a body and its motion, and give back the .amc."""

    def write(amc: str, asf: str = "", folder: str = "07", name: str = "07_01") -> Path:
        where = tmp_path / "capture" / folder
        where.mkdir(parents=True, exist_ok=True)
        (where / f"{folder}.asf").write_text(asf or asf_text())
        path = where / f"{name}.amc"
        path.write_text(amc)
        return path

    return write


def pose(path: Path) -> np.ndarray:
    (recording,) = read(path)
    return recording.positions_mm[0] / UNIT


def test_a_body_at_rest_stands_where_its_bones_say(capture):
    joints = pose(capture(amc_text({})))
    for name, place in (  # units, z up: file y is our z
        *(("pelvis", (0, 0, 16)), ("left_hip", (2, 0, 16)), ("right_hip", (-2, 0, 16))),
        *(("left_knee", (2, 0, 8)), ("left_ankle", (2, 0, 1)), ("spine", (0, 0, 18))),
        *(("thorax", (0, 0, 22)), ("neck", (0, 0, 24)), ("head", (0, 0, 26))),
        *(("left_shoulder", (3, 0, 22)), ("left_elbow", (8, 0, 22))),
        *(("left_wrist", (12.5, 0, 22)), ("right_wrist", (-12.5, 0, 22))),
    ):
        np.testing.assert_allclose(joints[JOINT[name]], place, atol=1e-5, err_msg=name)


def test_a_bone_turns_about_its_own_axes(capture):
    # The left femur's axes are turned by 20 degrees about z; a turn by 90 about its x swings the
    # leg (0, -8, 0) to C (0, -8 sin 20, -8 cos 20) turned: worked out by hand below.
    joints = pose(capture(amc_text({"lfemur": "90 0 0"})))
    c, s = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    in_axes = np.array([-8 * s, -8 * c, 0])  # C^-1 (0, -8, 0)
    turned = np.array([in_axes[0], 0, in_axes[1]])  # 90 degrees about x: y becomes z
    x, y, z = c * turned[0] - s * turned[1], s * turned[0] + c * turned[1], turned[2]
    knee = joints[JOINT["left_knee"]] - joints[JOINT["left_hip"]]
    np.testing.assert_allclose(knee, (x, -z, y), atol=1e-5)


def test_turns_go_about_x_first_then_y_then_z(capture):
    # The upper arm (5, 0, 0): 90 about x leaves it, about y turns it to (0, 0, -5), about z too.
    joints = pose(capture(amc_text({"lhumerus": "90 90 0"})))
    forearm = joints[JOINT["left_elbow"]] - joints[JOINT["left_shoulder"]]
    np.testing.assert_allclose(forearm, (0, 5, 0), atol=1e-5)  # file (0, 0, -5)
    joints = pose(capture(amc_text({"rfemur": "90 0 90"})))
    # The leg (0, -8, 0): about x to (0, 0, -8), about z it stays.
    knee = joints[JOINT["right_knee"]] - joints[JOINT["right_hip"]]
    np.testing.assert_allclose(knee, (0, 8, 0), atol=1e-5)


def test_children_follow_and_the_root_turns_all(capture):
    joints = pose(capture(amc_text({"lowerback": "0 0 90", "root": "1 16 2 0 90 0"})))
    # Back (0, 2, 0) about z: (-2, 0, 0); the root turns that about y to (0, 0, 2) in file axes.
    np.testing.assert_allclose(joints[JOINT["spine"]], (1, -4, 16), atol=1e-5)
    np.testing.assert_allclose(joints[JOINT["head"]], (1, -12, 16), atol=1e-5)
    np.testing.assert_allclose(joints[JOINT["left_hip"]], (1, 0, 16), atol=1e-5)


def test_twelve_frames_of_120_become_one_pose_and_87_was_filmed_at_60(capture):
    (slow,) = read(capture(amc_text(*[{}] * 36)))
    assert slow.frame.tolist() == [0, 12, 24]
    assert slow.fps == 10
    assert (slow.subject, slow.trial) == ("S07", "07_01")
    (fast,) = read(capture(amc_text(*[{}] * 36), folder="87", name="87_backflip"))
    assert fast.frame.tolist() == [0, 6, 12, 18, 24, 30]
    (all_of_it,) = read(capture(amc_text(*[{}] * 36)), fps=500)
    assert len(all_of_it.frame) == 36
    assert all_of_it.fps == 120


def test_hdm05_names_its_actions(capture):
    name = "HDM_bd_kickLFront1Reps_008_120"
    (recording,) = read(capture(amc_text({}), folder="bd", name=name))
    assert (recording.subject, recording.action) == ("bd", "kickLFront1Reps")


def test_a_jump_of_the_solver_is_dropped_with_what_is_beside_it(capture):
    frames = [{"root": f"{0.01 * k:.3f} 16 0 0 0 0"} for k in range(360)]
    frames[200] |= {"root": "9 16 0 0 0 0"}  # 0.4 m in 1/120 s
    report = MotionReport()
    (recording,) = read(capture(amc_text(*frames)), report=report)
    assert report.dropped == {"solver jump": 33}  # 16 frames on each side of both steps
    assert not {192, 204, 216} & set(recording.frame.tolist())  # 185 to 217 are gone
    assert {180, 228} <= set(recording.frame.tolist())
    assert report.lines()[0] == "1 files, 360 frames -> 27 poses"


def test_a_fast_kick_is_no_jump(capture):
    # 8 m/s at most for a quarter of a second: a knee swings through 100 degrees.
    angles = [50 - 50 * np.cos(np.clip((k - 100) / 15, 0, 1) * np.pi) for k in range(300)]
    report = MotionReport()
    list(read(capture(amc_text(*({"rtibia": f"{a:.3f}"} for a in angles))), report=report))
    assert not report.dropped


def test_recordings_go_into_a_file_and_come_back(capture, tmp_path):
    recordings = list(read(capture(amc_text(*[{}] * 24)).parent.parent))
    write_mocap(tmp_path / "my_poses17.h5", recordings, licence="CC0", credit="me")
    (back,) = read_mocap(tmp_path / "my_poses17.h5")
    np.testing.assert_array_equal(back.positions_mm, recordings[0].positions_mm)
    assert back.frame.tolist() == [0, 12]
    with pytest.raises(ValueError, match="two trials named 07_01"):
        write_mocap(tmp_path / "twice_poses17.h5", recordings * 2)
    assert [p.name for p in tmp_path.glob("*twice*")] == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t[: t.rindex("rtibia")], r"line \d+: frame 2 ends without lhumerus, lowerback"),
        (lambda t: t.replace("\n2\n", "\n3\n"), "line 12: frame 3; expected frame 2"),
        (lambda t: t.replace("rtibia 0", "rtibia 0 0", 1), r"line 9: rtibia: 0 0 \(2 words\)"),
        (
            lambda t: t.replace("ltibia", "lshin", 1),
            "line 7: bone lshin; expected a bone of 07.asf",
        ),
        (lambda t: t.replace("lfemur 0 0 0", "lfemur 0 nan 0", 1), "line 6: lfemur: 0 nan 0"),
        (
            lambda t: t.replace("\nltibia 0", "\nlfemur 0 0 0", 1),
            "line 7: bone lfemur; expected on",
        ),
        (lambda t: t[: t.index("1\n")], "line 3: the end of the file, without a frame"),
    ],
)
def test_a_broken_motion_is_refused_with_its_line(capture, damage, message):
    with pytest.raises(ValueError, match=message):
        list(read(capture(damage(amc_text({}, {})))))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t[: t.index(":hierarchy")], "without :hierarchy"),
        (lambda t: t[: t.rindex("  end")], "end of the file within :hierarchy"),
        (lambda t: t.replace("length 0.45\n", "\n", 1), ":units without length"),
        (lambda t: t.replace("    length 8\n", "", 1), "line 28: a bone without length"),
        (lambda t: t.replace("dof rx ry rz", "dof rx ry l", 1), "only rx, ry and rz"),
        (lambda t: t.replace("root lhipjoint", "toor lhipjoint"), "parent toor; expected root"),
        (lambda t: t.replace("    root lhipjoint\n", ""), "parent lhipjoint; expected root"),
        (lambda t: t.replace("direction 1 0 0", "direction 1 0", 1), "direction: 1 0"),
        (lambda t: t.replace("lwrist", "lpaw"), "no bone lwrist; expected CMU's"),
        (lambda t: t.replace("length 0.45", "length 25.4", 1), "the body would be 26.25 mm tall"),
    ],
)
def test_a_broken_body_is_refused(capture, damage, message):
    with pytest.raises(ValueError, match=message):
        list(read(capture(amc_text({}), damage(asf_text()))))


def test_a_motion_without_a_body_says_where_it_must_lie(tmp_path):
    (tmp_path / "07_01.amc").write_text(amc_text({}))
    with pytest.raises(ValueError, match=r"no \.asf beside it"):
        list(read(tmp_path))
    with pytest.raises(ValueError, match=r"no \.amc file here"):
        list(read(tmp_path / "nowhere"))


def test_one_asf_unit_is_56_mm(tmp_path):
    (tmp_path / "a.asf").write_text(asf_text())
    assert read_asf(tmp_path / "a.asf").mm_per_unit == pytest.approx(56.4444, abs=1e-4)


def test_capitals_and_a_byte_order_mark_are_read(capture, tmp_path):
    folder = capture(amc_text({})).parent
    for path in sorted(folder.iterdir()):
        path.with_suffix(path.suffix.upper()).write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        path.unlink()
    (recording,) = read(tmp_path)
    assert recording.subject == "S07"
    assert recording.positions_mm[0, JOINT["pelvis"], 2] == pytest.approx(16 * UNIT)


def test_an_up_axis_that_is_said_goes_before_the_custom(capture):
    report = MotionReport()
    (recording,) = read(capture(amc_text({})), up="z", report=report)
    assert recording.positions_mm[0, JOINT["pelvis"], 1] == pytest.approx(16 * UNIT)
    assert report.taken == {"in units of 56.44 mm, as the .asf states; z up": 1}
    with pytest.raises(ValueError, match=r"the body would be 666\.8 mm tall"):
        list(read(capture(amc_text({})), unit="inch"))


def test_a_bone_that_stands_twice_is_refused(capture):
    twice = asf_text().replace("name ltibia", "name lfemur", 1)
    with pytest.raises(ValueError, match="a second bone lfemur; expected a name for each"):
        list(read(capture(amc_text({}), twice)))
