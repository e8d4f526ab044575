"""BVH: the CMU conversions' bodies, with straight bones whose joints can be computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posezoo.data.convert.bvh import read, read_bvh
from posezoo.data.convert.bvh_names import read_map
from posezoo.data.convert.conversion import convert_motion
from posezoo.data.convert.motion import MotionReport
from posezoo.data.mocap.mocap_file import read_mocap
from posezoo.skeleton import H36M17

UNIT = 25.4 / 0.45
JOINT = {name: number for number, name in enumerate(H36M17.joints)}

Node = tuple[str, tuple[float, float, float], list["Node"]]


def arm(names: str, sign: int) -> Node:
    shoulder, upper, fore, hand, fingers = names.split()
    ends: list[Node] = [(fingers, (0, 0, 0), [("End", (sign * 0.5, 0, 0), [])])]
    hands: list[Node] = [(hand, (sign * 4, 0, 0), ends)]
    return (shoulder, (0, 0, 0), [(upper, (sign * 3, 0, 0), [(fore, (sign * 5, 0, 0), hands)])])


def leg(names: str, sign: int) -> Node:
    joint, hip, knee, ankle = names.split()
    shin: list[Node] = [(ankle, (0, -7, 0), [("End", (0, 0, 2), [])])]
    return (joint, (0, 0, 0), [(hip, (sign * 2, 0, 0), [(knee, (0, -8, 0), shin)])])


def body(legs: str, trunk: str, arms: str) -> Node:
    """Both of cgspeed's dialects have the same bones; a thorax of no length among them."""
    lower, spine, chest, neck, neck1, head = trunk.split()
    top: list[Node] = [(neck1, (0, 1, 0), [(head, (0, 1, 0), [("End", (0, 2, 0), [])])])]
    sides = [("L", "Left", 1), ("R", "Right", -1)]
    arms_ = [arm(arms.format(short=a, side=b), sign) for a, b, sign in sides]
    back: Node = (spine, (0, 2, 0), [(chest, (0, 2, 0), [(neck, (0, 0, 0), top), *arms_])])
    legs_ = [leg(legs.format(short=a, side=b), sign) for a, b, sign in sides]
    return ("Hips", (0, 0, 0), [*legs_, (lower, (0, 0, 0), [back])])


BODIES = {
    "motionbuilder": body(
        "{short}HipJoint {side}UpLeg {side}Leg {side}Foot",
        "LowerBack Spine Spine1 Neck Neck1 Head",
        "{side}Shoulder {side}Arm {side}ForeArm {side}Hand {side}FingerBase",
    ),
    "3dsmax": body(
        "{short}HipJoint {side}Hip {side}Knee {side}Ankle",
        "lowerback Chest Chest2 lowerneck Neck Head",
        "{side}Collar {side}Shoulder {side}Elbow {side}Wrist {short}hand",
    ),
}


def text(root: Node, *frames: dict[str, str]) -> str:
    """The file; a frame names the rotations (z y x, degrees) of joints, and where the root is."""
    lines, order = ["HIERARCHY"], []

    def write(node: Node, depth: int) -> None:
        name, offset, children = node
        key = "ROOT" if depth == 0 else "JOINT"
        lines.append(f"{key} {name}" if name != "End" else "End Site")
        lines.extend(["{", f"OFFSET {' '.join(map(str, offset))}"])
        if name != "End":
            order.append(name)
            place = "6 Xposition Yposition Zposition" if depth == 0 else "3"
            lines.append(f"CHANNELS {place} Zrotation Yrotation Xrotation")
        for child in children:
            write(child, depth + 1)
        lines.append("}")

    write(root, 0)
    lines += ["MOTION", f"Frames: {len(frames)}", "Frame Time: .0083333"]
    for frame in frames:
        turns = (frame.get(name, "0 0 0") for name in order)
        lines.append(" ".join([frame.get("place", "0 16 0"), *turns]))
    return "\n".join([*lines, ""])


@pytest.fixture
def bvh(tmp_path: Path):
    def write(content: str, name: str = "06_01") -> Path:
        (tmp_path / "06").mkdir(exist_ok=True)
        path = tmp_path / "06" / f"{name}.bvh"
        path.write_text(content)
        return path

    return write


@pytest.mark.parametrize("dialect", BODIES)
def test_both_dialects_stand_with_thorax_and_wrists_put_back(bvh, dialect):
    report = MotionReport()
    (recording,) = read(bvh(text(BODIES[dialect], {})), report=report)
    joints = recording.positions_mm[0] / UNIT
    for name, place in (  # units, z up
        *(("pelvis", (0, 0, 16)), ("left_knee", (2, 0, 8)), ("right_ankle", (-2, 0, 1))),
        *(("spine", (0, 0, 18)), ("thorax", (0, 0, 22)), ("neck", (0, 0, 24))),
        *(("head", (0, 0, 26)), ("left_shoulder", (3, 0, 22)), ("left_elbow", (8, 0, 22))),
        *(("left_wrist", (14, 0, 22)), ("right_wrist", (-14, 0, 22))),  # 4 and half of 4
    ):
        np.testing.assert_allclose(joints[JOINT[name]], place, atol=1e-5, err_msg=name)
    assert set(report.repaired) == {
        "thorax bone put back",
        "last third of the forearms put back",
    }


def test_a_turn_of_the_chest_carries_the_thorax_that_was_put_back(bvh):
    frame = {"Spine1": "90 0 0"}  # about z: up becomes -x
    (recording,) = read(bvh(text(BODIES["motionbuilder"], frame)))
    joints = recording.positions_mm[0] / UNIT
    np.testing.assert_allclose(joints[JOINT["thorax"]], (-2, 0, 20), atol=1e-5)
    np.testing.assert_allclose(joints[JOINT["head"]], (-6, 0, 20), atol=1e-5)


def test_channels_turn_in_the_order_in_which_they_stand(bvh):
    # Forearm (4, 0, 0): Z Y X means R = Rz Ry Rx; y 90 turns it to (0, 0, -4), z leaves that.
    (recording,) = read(bvh(text(BODIES["motionbuilder"], {"LeftForeArm": "90 90 0"})))
    joints = recording.positions_mm[0] / UNIT
    hand = joints[JOINT["left_wrist"]] - joints[JOINT["left_elbow"]]
    np.testing.assert_allclose(hand, (0, 6, 0), atol=1e-5)


def test_the_first_t_pose_goes_and_the_grid_begins_behind_it(bvh):
    moving = [
        {"LeftArm": "-80 0 0", "RightArm": "80 0 0", "LeftUpLeg": f"0 0 {k / 4}"} for k in range(40)
    ]
    report = MotionReport()
    (recording,) = read(bvh(text(BODIES["motionbuilder"], {}, *moving)), report=report)
    assert recording.frame.tolist() == [1, 13, 25, 37]
    assert recording.fps == pytest.approx(10)
    assert report.dropped == {"first frame is a T-pose": 1}
    (still,) = read(bvh(text(BODIES["motionbuilder"], *[{}] * 13)))  # a T-pose that does not jump
    assert still.frame.tolist() == [0, 12]


def test_retargeted_motion_is_in_centimetres(bvh):
    def limb(names: str, sign: int, *offsets: tuple[float, float, float]) -> Node:
        node: Node = ("End", (0, 0, 1), [])
        for name, (x, y, z) in reversed(list(zip(names.split(), offsets, strict=True))):
            node = (name, (sign * x, y, z), [node])
        return node

    eyes: list[Node] = [limb(f"{side}Eye", sign, (4, 8, 8)) for side, sign in
                        (("left", 1), ("right", -1))]  # fmt: skip
    head: Node = ("neck", (0, 22, 0), [("head", (0, 7, 0), eyes)])
    arms, legs = [], []
    for s, k in (("l", 1), ("r", -1)):
        names = f"{s}Collar {s}Shldr {s}ForeArm {s}Hand"
        arms.append(limb(names, k, (3, 19, 0), (9, 0, 0), (28, 0, 0), (23, 0, 0)))
        names = f"{s}Buttock {s}Thigh {s}Shin {s}Foot"
        legs.append(limb(names, k, (9, 4, 0), (0, -2, 0), (0, -37, 0), (0, -45, 0)))
    chest: Node = ("abdomen", (0, 20, 0), [("chest", (0, 12, 0), [head, *arms])])
    (recording,) = read(bvh(text(("hip", (0, 0, 0), [chest, *legs]), {"place": "0 100 0"})))
    joints = recording.positions_mm[0]
    np.testing.assert_allclose(joints[JOINT["right_knee"]], (-90, 0, 650), atol=1e-3)
    np.testing.assert_allclose(joints[JOINT["thorax"]], (0, 0, 1510), atol=1e-3)
    np.testing.assert_allclose(joints[JOINT["left_wrist"]], (630, 0, 1510), atol=1e-3)


def test_the_frame_rate_of_a_rounded_frame_time_is_whole(bvh):
    assert 1 / read_bvh(bvh(text(BODIES["3dsmax"], {}))).frame_s == 120


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t[: t.rindex("0 16 0")], "the end of the file after 1 frames; expected 2"),
        (
            lambda t: t.rstrip()[:-4] + "\n",
            r"line 151: frame 1: 0 16 0 0 0 0 ... \(76 words\); expected 78",
        ),
        (lambda t: t.replace("Frames: 2", "Frames: 1"), "a line after the last of 1 frames"),
        (lambda t: t.replace("Frames:", "Frame:"), "Frame: 2; expected Frames: and a number"),
        (lambda t: t.replace("HIERARCHY", "<html>"), "line 1: the first line; expected HIERARCHY"),
        (lambda t: t.replace("OFFSET 0 -8 0", "OFFSET 0 -8", 1), "line 16: OFFSET: 0 -8"),
        (lambda t: t.replace("OFFSET 0 -8 0\n", "", 1), "LeftLeg without OFFSET"),
        (lambda t: t[: t.index("MOTION")], "without MOTION"),
        (lambda t: t[: t.index("}")], "within the hierarchy; expected a closing brace"),
        (lambda t: t.replace("3 Zrot", "6 Zrot", 1), "expected how many, then 3 positions"),
        (lambda t: t.replace("LeftForeArm", "Flipper"), "no node for left_elbow among its joints"),
        (lambda t: t.replace("Time: .0083333", "Time: 0"), "expected seconds above 0"),
        (lambda t: t.replace("0 16 0", "0 inf 0", 1), "frame 0: 0 inf .* among them inf"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(bvh, damage, message):
    with pytest.raises(ValueError, match=message):
        list(read(bvh(damage(text(BODIES["motionbuilder"], {}, {})))))


def test_a_wrong_unit_is_refused_and_what_the_numbers_look_like_is_said(bvh):
    file = bvh(text(BODIES["motionbuilder"], {}))
    with pytest.raises(ValueError, match=r"would be 26.25 mm tall, .* look like ASF units of 56"):
        list(read(file, unit="mm"))


def stand(
    names: str, *, unit: float = 1.0, up: str = "y", end: float = 16.0, prefix: str = ""
) -> Node:
    """A person of 1.68 m in centimetres, times `unit`: hips, knees, ..., in a program's words.

    Thigh 42, shin 40, back 12 + 24 + 14, head 10 + `end`, arms 30 and 26.
    """

    def at(x: float, y: float, z: float) -> tuple[float, float, float]:
        place = (x, -z, y) if up == "z" else (x, y, z)
        return (place[0] * unit, place[1] * unit, place[2] * unit)

    root, spine, chest, neck, head, *limbs = names.split()
    sides: list[tuple[list[str], int]] = [(limbs[:7], 1), (limbs[7:], -1)]
    legs: list[Node] = []
    arms: list[Node] = []
    for (hip, knee, ankle, collar, shoulder, elbow, wrist), sign in sides:
        foot: list[Node] = [(prefix + ankle, at(0, -40, 0), [("End", at(0, -4, 12), [])])]
        legs.append((prefix + hip, at(sign * 10, 0, 0), [(prefix + knee, at(0, -42, 0), foot)]))
        hand: list[Node] = [(prefix + wrist, at(sign * 26, 0, 0), [("End", at(0, 0, 0), [])])]
        upper: list[Node] = [(prefix + elbow, at(sign * 30, 0, 0), hand)]
        shoulders: list[Node] = [(prefix + shoulder, at(sign * 14, 0, 0), upper)]
        arms.append((prefix + collar, at(sign * 2, 12, 0), shoulders))
    top: list[Node] = [(prefix + head, at(0, 10, 0), [("End", at(0, end, 0), [])])]
    necks: list[Node] = top if neck == "-" else [(prefix + neck, at(0, 14, 0), top)]
    trunk: Node = (prefix + chest, at(0, 24, 0), [*necks, *arms])
    return (prefix + root, at(0, 0, 0), [*legs, (prefix + spine, at(0, 12, 0), [trunk])])


def both(limbs: str) -> str:
    return " ".join(limbs.format(S=long, s=short, l=short.lower(), r=short)
                    for long, short in (("Left", "L"), ("Right", "R")))  # fmt: skip


MIXAMO = "Hips Spine Spine2 Neck Head " + both(
    "{S}UpLeg {S}Leg {S}Foot {S}Shoulder {S}Arm {S}ForeArm {S}Hand"
)
PROGRAMS = {
    "mixamo": MIXAMO,
    "rokoko": "Hips Spine1 Spine4 Neck Head "
    + both("{S}Thigh {S}Shin {S}Foot {S}Shoulder {S}Arm {S}ForeArm {S}Hand"),
    "blender": "hips spine chest neck head "
    + both("thigh.{s} shin.{s} foot.{s} shoulder.{s} upper_arm.{s} forearm.{s} hand.{s}"),
    "rigify": "spine spine.001 spine.003 spine.004 spine.006 "
    + both("thigh.{s} shin.{s} foot.{s} shoulder.{s} upper_arm.{s} forearm.{s} hand.{s}"),
    "unity": "Hips Spine Chest Neck Head "
    + both("{S}UpperLeg {S}LowerLeg {S}Foot {S}Shoulder {S}UpperArm {S}LowerArm {S}Hand"),
    "biped": "Pelvis Spine Spine2 Neck Head "
    + both("{s}_Thigh {s}_Calf {s}_Foot {s}_Clavicle {s}_UpperArm {s}_Forearm {s}_Hand"),
    "cmu": "root lowerback thorax lowerneck head "
    + both("{l}femur {l}tibia {l}foot {l}clavicle {l}humerus {l}radius {l}hand"),
    "hips and knees": "Hips Chest Chest2 Neck Head "
    + both("{S}Hip {S}Knee {S}Ankle {S}Collar {S}Shoulder {S}Elbow {S}Wrist"),
}


@pytest.mark.parametrize("prefix", ["", "mixamorig:", "Character1_", "DEF-"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_names_of_a_program_with_any_prefix_find_the_joints(bvh, program, prefix):
    tree = stand(PROGRAMS[program], prefix=prefix)
    report = MotionReport()
    (recording,) = read(bvh(text(tree, {"place": "0 86 0"})), report=report)
    joints = recording.positions_mm[0]
    for name, place in (  # mm, z up
        *(("pelvis", (0, 0, 860)), ("left_knee", (100, 0, 440)), ("right_ankle", (-100, 0, 40))),
        *(("spine", (0, 0, 1110)), ("thorax", (0, 0, 1360)), ("neck", (0, 0, 1460))),
        *(("head", (0, 0, 1620)), ("left_shoulder", (160, 0, 1340))),
        *(("left_wrist", (720, 0, 1340)), ("right_wrist", (-720, 0, 1340))),  # 26: not 39
    ):
        np.testing.assert_allclose(joints[JOINT[name]], place, atol=0.01, err_msg=name)
    assert not report.repaired
    assert report.taken["in cm, told from the body's height"] == 1


@pytest.mark.parametrize(("unit", "size"), [("mm", 10), ("cm", 1), ("m", 0.01), ("inch", 1 / 2.54)])
def test_the_unit_is_the_one_that_makes_a_person(bvh, unit, size):
    report = MotionReport()
    file = bvh(text(stand(MIXAMO, unit=size), {"place": f"0 {86 * size} 0"}))
    (recording,) = read(file, report=report)
    assert recording.positions_mm[0, JOINT["left_knee"], 2] == pytest.approx(440, abs=0.01)
    assert report.taken[f"in {unit}, told from the body's height"] == 1


def test_a_child_in_inches_under_cmus_names_is_refused_and_the_unit_is_named(bvh):
    # A CMU body of 26 units: 1.03 m tall in units of 39 mm; its file is in inches.
    def smaller(node: Node, size: float) -> Node:
        name, (x, y, z), children = node
        return name, (x * size, y * size, z * size), [smaller(each, size) for each in children]

    child = smaller(BODIES["motionbuilder"], 1.6)  # 42 inches, 1.07 m; 2.37 m in ASF units
    file = bvh(text(child, {"place": "0 25.6 0"}))
    with pytest.raises(ValueError, match=r"2371 mm tall, .* like inches .say it by --unit inch"):
        list(read(file))
    (recording,) = read(file, unit="inch")
    assert recording.positions_mm[0, JOINT["left_knee"], 2] == pytest.approx(12.8 * 25.4, abs=0.01)


def test_z_up_is_told_from_the_body(bvh):
    report = MotionReport()
    (recording,) = read(bvh(text(stand(MIXAMO, up="z"), {"place": "0 0 86"})), report=report)
    assert recording.positions_mm[0, JOINT["head"], 2] == pytest.approx(1620, abs=0.01)
    assert report.taken["z up, told from the body"] == 1


def with_root_at(tree: Node, offset: tuple[float, float, float]) -> Node:
    return tree[0], offset, tree[2]


@pytest.mark.parametrize(("place", "dialect"), [("3 86 0", "replace"), ("3 0 0", "add")])
def test_a_root_offset_is_added_or_not_as_the_floor_says(bvh, place, dialect):
    tree = with_root_at(stand(MIXAMO), (0, 86, 0))
    report = MotionReport()
    (recording,) = read(bvh(text(tree, {"place": place})), report=report)
    ankle = recording.positions_mm[0, JOINT["left_ankle"]]
    np.testing.assert_allclose(ankle, (130, 0, 40), atol=0.01)
    assert report.taken[f"root offset: {dialect}, told from the floor"] == 1


def test_feet_that_never_come_down_are_refused_until_the_dialect_is_said(bvh):
    tree = with_root_at(stand(MIXAMO), (0, 86, 0))
    file = bvh(text(tree, {"place": "0 500 0"}))
    with pytest.raises(ValueError, match=r"never come near the floor: .* --root-offset replace"):
        list(read(file))
    (recording,) = read(file, root_offset="replace")
    assert recording.positions_mm[0, JOINT["pelvis"], 2] == pytest.approx(5000, abs=0.01)


def test_positions_of_a_joint_replace_its_offset(bvh):
    whole = text(stand(MIXAMO), {"place": "0 86 0"})
    six = "CHANNELS 6 Xposition Yposition ZPosition Zrotation Yrotation Xrotation"  # sic: ZPosition
    head, _, tail = whole.partition("JOINT LeftLeg")
    tail = tail.replace("CHANNELS 3 Zrotation Yrotation Xrotation", six, 1)
    words = tail.splitlines()[-1].split()
    words[9:9] = ["0", "-50", "0"]  # behind hips (6) and thigh (3)
    tail = "\n".join([*tail.splitlines()[:-1], " ".join(words), ""])
    (recording,) = read(bvh(head + "JOINT LeftLeg" + tail))
    assert recording.positions_mm[0, JOINT["left_knee"], 2] == pytest.approx(360, abs=0.01)


def test_a_body_without_neck_has_the_middle_of_its_shoulders(bvh):
    names = MIXAMO.replace(" Neck ", " - ")
    report = MotionReport()
    (recording,) = read(bvh(text(stand(names), {"place": "0 86 0"})), report=report)
    assert recording.positions_mm[0, JOINT["thorax"], 2] == pytest.approx(1340, abs=0.01)
    assert report.repaired == {"no neck: its base is the middle of the shoulders": 1}


def test_a_head_without_length_is_a_quarter_of_a_leg(bvh):
    report = MotionReport()
    (recording,) = read(bvh(text(stand(MIXAMO, end=0), {"place": "0 86 0"})), report=report)
    assert recording.positions_mm[0, JOINT["head"], 2] == pytest.approx(1460 + 205, abs=0.01)
    assert list(report.repaired) == ["no top of the head: a quarter of a leg above the base of the "
                                     "skull"]  # fmt: skip


def test_other_names_are_listed_and_a_map_says_them(bvh, tmp_path):
    file = bvh(text(stand(MIXAMO.replace("LeftUpLeg", "Ham")), {"place": "0 86 0"}))
    with pytest.raises(ValueError, match=r"no node for left_hip among .*Ham.*--map FILE.toml"):
        list(read(file))
    table = tmp_path / "map.toml"
    table.write_bytes(b'\xef\xbb\xbfleft_hip = "Ham"\n')
    (recording,) = read(file, names=read_map(table))
    assert recording.positions_mm[0, JOINT["left_hip"], 0] == pytest.approx(100, abs=0.01)
    table.write_text('left_hop = "Ham"')
    with pytest.raises(
        ValueError, match="left_hop is no joint; expected a map in TOML: a joint of pelvis"
    ):
        read_map(table)
    with pytest.raises(ValueError, match="the map's left_hip is Hm, but the file has Hips"):
        list(read(file, names={"left_hip": ("Hm",)}))


def test_a_byte_order_mark_and_an_ending_in_capitals_are_read(bvh, tmp_path):
    file = bvh(text(stand(MIXAMO), {"place": "0 86 0"}))
    capital = file.with_suffix(".BVH")
    capital.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    file.unlink()
    assert len(list(read(tmp_path))) == 1


@pytest.mark.parametrize("source", ["walk.bvh", "./walk.bvh", ".", "../06/walk.bvh"])
def test_people_are_named_by_their_folder_wherever_one_stands(bvh, tmp_path, monkeypatch, source):
    file = bvh(text(stand(MIXAMO), {"place": "0 86 0"}), name="walk")
    monkeypatch.chdir(file.parent)
    convert_motion("bvh", Path(source), tmp_path / "out_poses17.h5")
    (recording,) = read_mocap(tmp_path / "out_poses17.h5")
    assert (recording.subject, recording.trial) == ("S06", "walk")


def test_what_a_file_says_is_shown_escaped_and_short(bvh):
    with pytest.raises(ValueError, match="expected") as caught:
        read_bvh(bvh("HIERARCHY\nROOT x\n{\n\x1b[31m" + "z" * 5000))
    assert r"\x1b[31mzzz" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 500
