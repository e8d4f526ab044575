"""Motion capture in BVH: a tree of joints and their channels, in one text file.

A joint's position channels replace its OFFSET. Of the root two dialects exist: positions that are
added to OFFSET, and positions that hold it already; the one whose feet come to the floor is taken.
Unit and up axis stand nowhere: they are told from the body, which must be a person's. The first
frame may be a T-pose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posezoo.data.convert.bvh_body import is_cgspeed, joints_of
from posezoo.data.convert.bvh_names import END, NodeMap, map_nodes, plain_names
from posezoo.data.convert.kinematics import Floats, Tree, euler_rotations
from posezoo.data.convert.motion import (
    Motion,
    MotionReport,
    each_sound,
    files_below,
    person,
    sampled,
    z_up,
)
from posezoo.data.convert.text_lines import Lines
from posezoo.data.mocap.mocap_file import Recording
from posezoo.data.units import height_mm, likely_unit, mm_per_unit
from posezoo.skeleton import H36M17

_ASF_UNIT_MM = 25.4 / 0.45
_AXES = ("x", "y", "z")
_FLOOR = (-0.25, 0.55)  # of a leg: where the lowest ankle of a person on the floor is
_ALIKE = 0.1  # of a leg: root offsets below this make no difference that matters


def read(
    path: str | Path,
    *,
    fps: float = 10.0,
    unit: str = "",
    up: str = "",
    root_offset: str = "",
    names: Mapping[str, tuple[str, ...]] | None = None,
    report: MotionReport | None = None,
) -> Iterator[Recording]:
    """The motion of a .bvh file, or those of all in a folder.

    Args:
        path: the file or folder.
        fps: poses a second; a motion with fewer keeps all.
        unit: of the files: mm, cm, m or inch; "": told from the body.
        up: their axis that points up, y or z; "": told from the body.
        root_offset: "add" the root's OFFSET to its positions, or let these "replace" it; "": told
            from the floor.
        names: joints of h36m17 to names of nodes; None: by the names that programs give.
        report: counts what was kept, repaired and dropped, and how files were read.

    Raises:
        ValueError: a file that is cut or not what it must be, with the line; unknown joint names;
            a body that cannot be a person in that unit, feet that are not near the floor.
    """
    report = report if report is not None else MotionReport()

    def one(file: Path) -> Recording:
        text = read_bvh(file)
        nodes = map_nodes(file, text.tree.names, names or {})
        if is_cgspeed(text.tree) and not names:
            plain = plain_names(text.tree.names)
            spine = next((name for name in ("spine", "chest") if name in plain), "")
            if not spine:
                raise ValueError(f"{file}: cgspeed's bones without a spine or a chest")
            nodes.nodes["spine"] = (plain.index(spine),)
        axis = up or _up_axis(text, nodes)
        joints, remarks = _placed(file, text, nodes, axis, root_offset, report)
        report.repaired.update(remarks)
        joints = z_up(joints) if axis == "y" else joints
        size = _size_of_unit(text.tree, joints, unit, report)
        report.taken[f"with the names of {nodes.program}"] += 1
        report.taken[f"{axis} up" + ("" if up else ", told from the body")] += 1
        motion = Motion(
            path=file,
            subject=person(file),
            action=file.stem,
            source_fps=1 / text.frame_s,
            joints_mm=joints * size,
            size_of_unit=size,
        )
        return sampled(motion, fps, report)

    yield from each_sound(files_below(path, ".bvh"), one, report)


@dataclass(frozen=True, slots=True)
class BvhFile:
    """What a .bvh file says, in its own unit."""

    tree: Tree
    frame_s: float
    rotations: Floats  # (F, N, 3, 3) of each joint against its parent
    moved: dict[int, Floats]  # (F, 3) positions of the joints that have them, against the parent

    @property
    def root(self) -> Floats:  # (F, 3)
        """Where the root is, by the dialect that adds its OFFSET to its positions."""
        offset = np.tile(self.tree.offsets[0], (len(self.rotations), 1))
        return offset + self.moved[0] if 0 in self.moved else offset


def read_bvh(path: Path) -> BvhFile:
    """Read tree and motion.

    Raises:
        ValueError: cut, or not a tree of joints with rotations.
    """
    lines = Lines(path)
    words = iter(lines)
    if next(words, []) != ["HIERARCHY"]:
        raise lines.error("the first line", "HIERARCHY")
    tree, channels = _read_tree(lines, words)
    frames, frame_s = _read_header(lines, words)
    width = sum(map(len, channels))
    rows = []
    for frame in range(frames):
        row = next(words, None)
        if row is None:
            raise lines.error(f"the end of the file after {frame} frames", f"{frames} frames")
        rows.append(lines.numbers(row, width, f"frame {frame}"))
    values = np.array(rows)
    if next(words, None) is not None:
        raise lines.error(f"a line after the last of {frames} frames", "the end of the file")
    rotations = np.zeros((frames, len(channels), 3, 3))
    rotations[:] = np.eye(3)
    moved = {}
    ends = np.cumsum([len(each) for each in channels])
    for node, own in enumerate(channels):
        mine = values[:, ends[node] - len(own) : ends[node]]
        turning = [k for k, channel in enumerate(own) if channel.endswith("rotation")]
        rotations[:, node] = euler_rotations(mine[:, turning], [own[k][0] for k in turning])
        if f"{_AXES[0]}position" in own:
            moved[node] = mine[:, [own.index(f"{axis}position") for axis in _AXES]]
    return BvhFile(tree, frame_s, rotations, moved)


def _up_axis(text: BvhFile, nodes: NodeMap) -> str:
    """Along z if the back points there, in the motion and at rest; else y, as BVH has it."""
    still = np.broadcast_to(np.eye(3), text.rotations[:1].shape)
    for rotations, moved in ((text.rotations, text.moved), (still, {})):
        places, world = text.tree.forward(rotations, np.zeros((len(rotations), 3)), _below(moved))
        joints, _ = joints_of(text.tree, nodes, places, world)
        trunk = (joints[:, H36M17.joints.index("thorax")] - joints[:, 0]).mean(0)
        if trunk[2] < 0.8 * np.linalg.norm(trunk):
            return "y"
    return "z"


def _placed(
    path: Path, text: BvhFile, nodes: NodeMap, up: str, root_offset: str, report: MotionReport
) -> tuple[Floats, list[str]]:
    """Joints (F, 17, 3) in the file's unit and axes."""
    tree, offset = text.tree, text.tree.offsets[0]
    places, world = tree.forward(text.rotations, text.moved.get(0, text.root), _below(text.moved))
    joints, remarks = joints_of(tree, nodes, places, world)
    if 0 not in text.moved or not offset.any():
        return joints, remarks
    if not root_offset:
        root_offset = _by_the_floor(path, joints, float(offset[_AXES.index(up)]), up)
        report.taken[f"root offset: {root_offset}, told from the floor"] += 1
    return joints + (offset if root_offset == "add" else 0), remarks


def _by_the_floor(path: Path, joints: Floats, offset: float, up: str) -> str:
    """Whether the root's OFFSET is to be added to its positions: "add" or "replace"."""
    index = [H36M17.joints.index(f"left_{name}") for name in ("hip", "knee", "ankle")]
    leg = np.linalg.norm(np.diff(joints[:, index], axis=1), axis=-1).mean(0).sum().clip(1e-9)
    if abs(offset) < _ALIKE * leg:
        return "add"
    ankles = [H36M17.joints.index(f"{side}_ankle") for side in ("left", "right")]
    lowest = float(np.percentile(joints[:, ankles, _AXES.index(up)].min(1), 5)) / leg
    levels = {"replace": lowest, "add": lowest + offset / leg}
    sound = [name for name, level in levels.items() if _FLOOR[0] <= level <= _FLOOR[1]]
    if not sound:
        raise ValueError(
            f"{path}: the ankles never come near the floor: {lowest:.2f} legs above it by the "
            f"root's positions, {levels['add']:.2f} with its OFFSET added; say which by "
            "--root-offset replace or --root-offset add (is the up axis right? --up y|z)"
        )
    return min(sound, key=lambda name: abs(levels[name] - 0.1))


def _below(moved: Mapping[int, Floats]) -> dict[int, Floats]:
    return {node: places for node, places in moved.items() if node}


def _size_of_unit(tree: Tree, joints: Floats, unit: str, report: MotionReport) -> float:
    """Mm in the file's unit: given, the collection's, or the one that makes the body a person."""
    if unit:
        report.taken[f"in {unit}"] += 1
        return mm_per_unit(unit)
    if is_cgspeed(tree):
        report.taken["in units of 56.444 mm, those of CMU's bodies"] += 1
        return _ASF_UNIT_MM
    height = height_mm(joints, H36M17) or 0.0
    guess = likely_unit(height)
    if guess is None and likely_unit(height * _ASF_UNIT_MM) == "mm":
        report.taken["in units of 56.444 mm, told from the body's height"] += 1
        return _ASF_UNIT_MM
    guess = guess or "cm"
    report.taken[f"in {guess}, told from the body's height"] += 1
    return mm_per_unit(guess)


def _read_tree(lines: Lines, words: Iterator[list[str]]) -> tuple[Tree, list[list[str]]]:
    names: list[str] = []
    parents: list[int] = []
    offsets: dict[int, list[float]] = {}
    channels: list[list[str]] = []
    open_nodes: list[int] = []
    for key, *all_of_line in words:
        opened = all_of_line[-1:] == ["{"]  # on the same line, as some programs have it
        rest = all_of_line[:-1] if opened else all_of_line
        if key in {"ROOT", "JOINT", "End"}:
            if (key == "ROOT") != (not names) or (key != "ROOT" and not open_nodes):
                raise lines.error(" ".join([key, *rest]), "one ROOT that holds all joints")
            parent = open_nodes[-1] if open_nodes else -1
            names.append(names[parent] + END if key == "End" else " ".join(rest))
            parents.append(parent)
            channels.append([])
            if not opened and next(words, []) != ["{"]:
                raise lines.error(f"{names[-1]} without a brace", "{")
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
            channels[open_nodes[-1]] = _channels(lines, rest)
        else:
            raise lines.error(key, "JOINT, OFFSET, CHANNELS, End Site or a brace")
    if open_nodes or not names:
        raise lines.error("the end of the file within the hierarchy", "a closing brace")
    if not any(channels):
        raise lines.error("a tree without CHANNELS", "positions and rotations")
    table = np.array([offsets[node] for node in range(len(names))])
    return Tree(tuple(names), tuple(parents), table, turned_by_itself=False), channels


def _channels(lines: Lines, rest: list[str]) -> list[str]:
    """Names in lower case: some programs write ZPosition."""
    turning = {f"{axis}rotation" for axis in _AXES}
    moving = {f"{axis}position" for axis in _AXES}
    count, *own = [word.lower() for word in rest] or [""]
    positions = set(own) & moving
    if (
        count != str(len(own))
        or len(set(own)) != len(own)
        or not set(own) <= turning | moving
        or positions not in (set(), moving)
    ):
        raise lines.error(
            f"CHANNELS {' '.join(rest)}",
            "how many, then 3 positions, or rotations, or both; bones keep their length",
        )
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
