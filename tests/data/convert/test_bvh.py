"""BVH: the CMU conversions' bodies, with straight bones whose joints can be computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posezoo.data.convert.bvh import read, read_bvh
from posezoo.data.convert.motion import MotionReport
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
        (lambda t: t.replace("3 Zrot", "6 Zrot", 1), "expected 3 rotations; bones keep"),
        (lambda t: t.replace("LeftForeArm", "LeftLowerArm"), "which needs LeftForeArm too"),
        (lambda t: t.replace("Time: .0083333", "Time: 0"), "expected seconds above 0"),
        (lambda t: t.replace("0 16 0", "0 inf 0", 1), "frame 0: 0 inf .* among them inf"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(bvh, damage, message):
    with pytest.raises(ValueError, match=message):
        list(read(bvh(damage(text(BODIES["motionbuilder"], {}, {})))))


def test_a_wrong_unit_is_refused_and_a_given_one_is_taken(bvh):
    file = bvh(text(BODIES["motionbuilder"], {}))
    with pytest.raises(ValueError, match=r"the median thigh .* would be 8 mm"):
        list(read(file, mm_per_unit=1))
    (recording,) = read(file, mm_per_unit=50)
    assert recording.positions_mm[0, JOINT["left_knee"], 2] == pytest.approx(400)
