"""Motion capture in BVH: a tree of joints and their channels, in one text file; y is up.

Known bodies are those of the CMU conversions: two joint-name dialects of cgspeed.com, in ASF units
(56.444 mm), whose thorax bone and last third of the forearm have no length and are put back,
`retargeted` motions on another body, in centimetres, and posezoo's own. The first frame may be a
T-pose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posezoo.data.convert.kinematics import Floats, Tree, euler_rotations
from posezoo.data.convert.motion import Motion, MotionReport, files_below, person, sampled, z_up
from posezoo.data.convert.text_lines import Lines
from posezoo.data.mocap.mocap_file import Recording

_ASF_UNIT_MM = 25.4 / 0.45
_END = ".end"  # of the name of a joint's end site
_FOREARM = 1.5  # elbow to wrist: the bone that these files have, and the half of it that they lost


@dataclass(frozen=True, slots=True)
class Dialect:
    """The nodes of one body in the order of h36m17 without the pelvis; several: their middle."""

    name: str
    mm_per_unit: float
    joints: tuple[tuple[str, ...], ...]  # 16
    # Whose turned offset the lost thorax bone repeats; "": this body has its bones.
    back: str = ""


def _cgspeed(name: str, legs: str, trunk: str, arms: str, back: str) -> Dialect:
    nodes = [
        *(f"{side}{joint}" for side in ("Right", "Left") for joint in legs.split()),
        *trunk.split(),
        *(f"{side}{joint}" for side in ("Left", "Right") for joint in arms.split()),
    ]
    return Dialect(name, _ASF_UNIT_MM, tuple((node,) for node in nodes), back)


DIALECTS = (
    _cgspeed(
        "cgspeed MotionBuilder names",
        legs="UpLeg Leg Foot",
        trunk=f"Spine Neck Head Head{_END}",
        arms="Arm ForeArm Hand",
        back="Spine1",
    ),
    _cgspeed(
        "cgspeed 3dsMax names",
        legs="Hip Knee Ankle",
        trunk=f"Chest lowerneck Head Head{_END}",
        arms="Shoulder Elbow Wrist",
        back="Chest2",
    ),
    Dialect(
        "cgspeed Daz names (retargeted; neck and head are approximate)",
        10.0,
        (
            *(("rThigh",), ("rShin",), ("rFoot",), ("lThigh",), ("lShin",), ("lFoot",)),
            *(("abdomen",), ("lCollar", "rCollar"), ("head",), ("leftEye", "rightEye")),
            *(("lShldr",), ("lForeArm",), ("lHand",), ("rShldr",), ("rForeArm",), ("rHand",)),
        ),
    ),
    Dialect(
        "posezoo's own (posezoo predict --bvh)",
        10.0,
        (
            *(("right_hip",), ("right_knee",), (f"right_knee{_END}",)),
            *(("left_hip",), ("left_knee",), (f"left_knee{_END}",)),
            *(("spine",), ("thorax",), ("neck",), (f"neck{_END}",)),
            *(("left_shoulder",), ("left_elbow",), (f"left_elbow{_END}",)),
            *(("right_shoulder",), ("right_elbow",), (f"right_elbow{_END}",)),
        ),
    ),
)


def read(
    path: str | Path,
    *,
    fps: float = 10.0,
    mm_per_unit: float | None = None,
    report: MotionReport | None = None,
) -> Iterator[Recording]:
    """The motion of a .bvh file, or those of all in a folder.

    Args:
        path: the file or folder.
        fps: poses a second; a motion with fewer keeps all.
        mm_per_unit: of the files; None: what their joint names tell.
        report: counts what was kept, repaired and dropped.

    Raises:
        ValueError: a file that is cut or not what it must be, with the line; unknown joint names;
            a body that cannot be in that unit.
    """
    report = report if report is not None else MotionReport()
    for file in files_below(path, ".bvh"):
        text = read_bvh(file)
        dialect = _dialect(file, text.tree)
        joints, repairs = _joints(text, dialect)
        report.repaired.update(repairs)
        motion = Motion(
            path=file,
            subject=person(file),
            action=file.stem,
            source_fps=1 / text.frame_s,
            joints_mm=z_up(joints) * (mm_per_unit or dialect.mm_per_unit),
        )
        yield sampled(motion, fps, report)


@dataclass(frozen=True, slots=True)
class BvhFile:
    """What a .bvh file says, in its own unit."""

    tree: Tree
    frame_s: float
    rotations: Floats  # (F, N, 3, 3) of each joint against its parent
    root: Floats  # (F, 3)


def read_bvh(path: Path) -> BvhFile:
    """Read tree and motion.

    Raises:
        ValueError: cut, or not a tree of joints with rotations and a root that moves.
    """
    lines = Lines(path)
    words = iter(lines)
    if next(words, []) != ["HIERARCHY"]:
        raise lines.error("the first line", "HIERARCHY")
    tree, channels = _read_tree(lines, words)
    frames, frame_s = _read_header(lines, words)
    width = sum(map(len, channels))
    values = np.empty((frames, width))
    for frame in range(frames):
        row = next(words, None)
        if row is None:
            raise lines.error(f"the end of the file after {frame} frames", f"{frames} frames")
        values[frame] = lines.numbers(row, width, f"frame {frame}")
    if next(words, None) is not None:
        raise lines.error(f"a line after the last of {frames} frames", "the end of the file")
    rotations = np.zeros((frames, len(channels), 3, 3))
    rotations[:] = np.eye(3)
    root = np.tile(tree.offsets[0], (frames, 1))
    ends = np.cumsum([len(each) for each in channels])
    for node, own in enumerate(channels):
        mine = values[:, ends[node] - len(own) : ends[node]]
        turning = [k for k, channel in enumerate(own) if channel.endswith("rotation")]
        axes = [own[k][0].lower() for k in turning]
        rotations[:, node] = euler_rotations(mine[:, turning], axes)
        if node == 0:
            place = [own.index(f"{axis}position") for axis in "XYZ"]
            root = root + mine[:, place]
    return BvhFile(tree, frame_s, rotations, root)


def _read_tree(lines: Lines, words: Iterator[list[str]]) -> tuple[Tree, list[list[str]]]:
    names: list[str] = []
    parents: list[int] = []
    offsets: dict[int, list[float]] = {}
    channels: list[list[str]] = []
    open_nodes: list[int] = []
    for key, *rest in words:
        if key in {"ROOT", "JOINT", "End"}:
            if (key == "ROOT") != (not names) or (key != "ROOT" and not open_nodes):
                raise lines.error(" ".join([key, *rest]), "one ROOT that holds all joints")
            parent = open_nodes[-1] if open_nodes else -1
            names.append(names[parent] + _END if key == "End" else " ".join(rest))
            parents.append(parent)
            channels.append([])
            if next(words, []) != ["{"]:
                raise lines.error(f"{names[-1]} without a brace", "{ on a line of its own")
            open_nodes.append(len(names) - 1)
        elif key == "}" and open_nodes:
            if open_nodes[-1] not in offsets:
                raise lines.error(f"{names[open_nodes[-1]]} without OFFSET", "OFFSET x y z")
            open_nodes.pop()
            if not open_nodes:
                break
        elif key == "OFFSET" and open_nodes:
            offsets[open_nodes[-1]] = lines.numbers(rest, 3, "OFFSET")
        elif key == "CHANNELS" and open_nodes:
            channels[open_nodes[-1]] = _channels(lines, rest, root=open_nodes[-1] == 0)
        else:
            raise lines.error(key, "JOINT, OFFSET, CHANNELS, End Site or a brace")
    if open_nodes or not names:
        raise lines.error("the end of the file within the hierarchy", "a closing brace")
    if not channels[0]:
        raise lines.error(f"{names[0]} without CHANNELS", "3 positions and 3 rotations")
    table = np.array([offsets[node] for node in range(len(names))])
    return Tree(tuple(names), tuple(parents), table, turned_by_itself=False), channels


def _channels(lines: Lines, rest: list[str], *, root: bool) -> list[str]:
    turning = sorted(f"{axis}rotation" for axis in "XYZ")
    moving = sorted(f"{axis}position" for axis in "XYZ")
    count, *own = rest or [""]
    if count != str(len(own)) or sorted(own) != (sorted(moving + turning) if root else turning):
        wanted = "6 channels, positions and rotations" if root else "3 rotations"
        raise lines.error(f"CHANNELS {' '.join(rest)}", f"{wanted}; bones keep their length")
    return own


def _read_header(lines: Lines, words: Iterator[list[str]]) -> tuple[int, float]:
    if next(words, []) != ["MOTION"]:
        raise lines.error("the end of the hierarchy without MOTION", "MOTION")
    row = next(words, [])
    if len(row) != 2 or row[0] != "Frames:" or not row[1].isdigit() or int(row[1]) < 1:
        raise lines.error(" ".join(row) or "nothing", "Frames: and a number above 0")
    time = next(words, [])
    if time[:2] != ["Frame", "Time:"]:
        raise lines.error(" ".join(time) or "nothing", "Frame Time: seconds")
    frame_s = lines.numbers(time[2:], 1, "Frame Time")[0]
    if frame_s <= 0:
        raise lines.error(f"Frame Time {frame_s}", "seconds above 0")
    # 0.0083333 s is 120 frames a second, cut short: whole rates are what cameras have.
    rate = 1 / frame_s
    return int(row[1]), 1 / round(rate) if abs(rate - round(rate)) < 1e-3 * rate else frame_s


def _dialect(path: Path, tree: Tree) -> Dialect:
    for dialect in DIALECTS:
        needed = {name for names in dialect.joints for name in names} | {dialect.back} - {""}
        if needed <= set(tree.names):
            return dialect
    nearest = min(DIALECTS, key=lambda d: len({n for j in d.joints for n in j} - set(tree.names)))
    lost = sorted({name for names in nearest.joints for name in names} - set(tree.names))
    raise ValueError(
        f"{path}: unknown joint names; the nearest dialect is {nearest.name}, which needs "
        f"{', '.join(lost)} too. Known dialects: {'; '.join(each.name for each in DIALECTS)}"
    )


def _joints(file: BvhFile, dialect: Dialect) -> tuple[Floats, list[str]]:
    """Joints (F, 17, 3) in the file's unit and axes, and what was put right in them."""
    tree, index = file.tree, file.tree.names.index
    places, world = tree.forward(file.rotations, file.root)
    joints = np.stack(
        [places[:, [index(name) for name in names]].mean(1) for names in dialect.joints], 1
    )
    joints = np.concatenate([(joints[:, :1] + joints[:, 3:4]) / 2, joints], 1)
    if not dialect.back:
        return joints, []
    repairs = []
    if not tree.offsets[index(dialect.joints[7][0])].any():
        back = index(dialect.back)
        joints[:, 8:] += (world[:, back] @ tree.offsets[back])[:, None]
        repairs.append("thorax bone put back")
    for wrist in (13, 16):
        hand = index(dialect.joints[wrist - 1][0])
        lost = not any(tree.offsets[n].any() for n, p in enumerate(tree.parents) if p == hand)
        if lost:
            elbow = joints[:, wrist - 1]
            joints[:, wrist] = elbow + _FOREARM * (joints[:, wrist] - elbow)
    if lost:
        repairs.append("last third of the forearms put back")
    return joints, repairs
