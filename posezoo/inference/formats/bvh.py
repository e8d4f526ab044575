"""Predictions as BVH, the motion files of animation programs: one file for each person.

A BVH body has bones of constant length, so each bone gets its median length over the clip. The rest
pose is a T: y up, facing z, the left hand towards x. The pelvis turns with the spine and the line
of the hips, the chest with the trunk and the line of the shoulders; every other bone swings
straight from its rest direction, without a twist that positions cannot tell. Hips and shoulders
hang on joints of their own (`left_pelvis`, `left_clavicle`), since in predictions they are not
rigid to the trunk. Each bone points from where its joint came to lie to where the next was
predicted: so a joint is off by no more than the bones up to it change their length, mostly by less.

BVH has no room for notes: what was predicted with what stands in the JSON beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.inference.formats.swings import across_up, euler_zxy, swing
from posezoo.inference.formats.tracks import Track, filled, placed
from posezoo.whole_files import write_atomically

Floats: TypeAlias = NDArray[np.float64]

_MM_PER = {"cm": 10.0, "mm": 1.0, "m": 1000.0}
_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # of a point whose y is up
_NEEDED = (
    "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax neck head "
    "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
).split()


@dataclass(frozen=True, slots=True)
class _Node:
    """A joint of the file. `end` is where the bone that it turns ends, `rest` that bone's way."""

    name: str
    parent: str
    at: str  # the joint of the body that it lies on
    end: str
    rest: tuple[float, float, float]
    across: tuple[str, str] | None = None  # from right to left: tells the turn about the bone


_UP, _DOWN, _LEFT, _RIGHT = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)


def _leg(side: str, way: tuple[float, float, float]) -> tuple[_Node, ...]:
    return (
        _Node(f"{side}_pelvis", "pelvis", "pelvis", f"{side}_hip", way),
        _Node(f"{side}_hip", f"{side}_pelvis", f"{side}_hip", f"{side}_knee", _DOWN),
        _Node(f"{side}_knee", f"{side}_hip", f"{side}_knee", f"{side}_ankle", _DOWN),
    )


def _arm(side: str, way: tuple[float, float, float]) -> tuple[_Node, ...]:
    return (
        _Node(f"{side}_clavicle", "spine", "thorax", f"{side}_shoulder", way),
        _Node(f"{side}_shoulder", f"{side}_clavicle", f"{side}_shoulder", f"{side}_elbow", way),
        _Node(f"{side}_elbow", f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist", way),
    )


_NODES = (
    _Node("pelvis", "", "pelvis", "spine", _UP, ("right_hip", "left_hip")),
    *_leg("right", _RIGHT),
    *_leg("left", _LEFT),
    _Node("spine", "pelvis", "spine", "thorax", _UP, ("right_shoulder", "left_shoulder")),
    _Node("thorax", "spine", "thorax", "neck", _UP),
    _Node("neck", "thorax", "neck", "head", _UP),
    *_arm("left", _LEFT),
    *_arm("right", _RIGHT),
)


def write_bvh(
    track: Track,
    path: Path,
    *,
    up: Literal["y", "z"] = "y",
    unit: Literal["cm", "mm", "m"] = "cm",
) -> None:
    """Write one person; frames in which nobody was seen are bridged by straight lines.

    Raises:
        ValueError: the joint set lacks a joint of this body, or up or unit are others.
    """
    if up not in {"y", "z"} or unit not in _MM_PER:
        raise ValueError(f"{path}: up is {up!r}, unit {unit!r}; expected y or z, and cm, mm or m")
    if missing := sorted(set(_NEEDED) - set(track.skeleton.joints)):
        raise ValueError(
            f"{path}: {track.skeleton.name} has no {', '.join(missing)}; BVH takes poses of h36m17"
        )
    points, _ = placed(track)
    points = filled(points)
    if not np.isfinite(points).all():
        raise ValueError(f"{path}: a joint of person {track.id} is known in no frame")
    joints = {name: points[:, track.skeleton.joints.index(name)] for name in _NEEDED}
    to_up = np.eye(3) if up == "y" else _Z_UP
    scale = 1 / _MM_PER[unit]
    lengths = {
        node.name: float(np.median(np.linalg.norm(joints[node.end] - joints[node.at], axis=-1)))
        for node in _NODES
    }
    angles = _angles(joints, lengths, to_up)
    root = joints["pelvis"] @ to_up.T * scale
    text = ["HIERARCHY", *_hierarchy(lengths, to_up, scale), "MOTION"]
    text += [f"Frames: {len(points)}", f"Frame Time: {1 / track.fps:.9f}"]
    rows = np.concatenate([root, angles.reshape(len(root), -1)], 1) + 0.0  # no -0.0
    text += [" ".join(f"{value:.6f}" for value in row) for row in rows]
    write_atomically(path, ("\n".join(text) + "\n").encode())


def _angles(
    joints: dict[str, Floats], lengths: dict[str, float], to_up: Floats
) -> Floats:  # (F, N, 3) degrees about z, x, y
    world: dict[str, Floats] = {}
    lies = {"pelvis": joints["pelvis"]}  # where the joints of the file lie
    angles = []
    for node in _NODES:
        bone = joints[node.end] - lies[node.at]
        before = world.get(node.parent)
        if node.across is not None:
            right, left = node.across
            world[node.name] = across_up(bone, joints[left] - joints[right])
        else:
            assert before is not None  # only the first node has no parent, and it has an `across`
            carried = before @ np.array(node.rest)
            world[node.name] = swing(carried, bone) @ before
        lies[node.end] = lies[node.at] + world[node.name] @ np.array(node.rest) * lengths[node.name]
        turn = world[node.name] if before is None else before.swapaxes(-1, -2) @ world[node.name]
        angles.append(euler_zxy(to_up @ turn @ to_up.T))
    return np.stack(angles, 1)


def _hierarchy(lengths: dict[str, float], to_up: Floats, scale: float) -> list[str]:
    ends = {node.name: node for node in _NODES}

    def bone(node: _Node) -> Floats:
        return to_up @ np.array(node.rest) * lengths[node.name] * scale

    def offset(depth: int, values: Floats) -> str:
        return f"{'  ' * depth}OFFSET " + " ".join(f"{value + 0.0:.6f}" for value in values)

    def lines(node: _Node, depth: int) -> list[str]:
        pad = "  " * depth
        parent = ends.get(node.parent)
        here = np.zeros(3) if parent is None or parent.at == node.at else bone(parent)
        moving = "" if node.parent else "Xposition Yposition Zposition "
        count = 3 if node.parent else 6
        text = [f"{pad}{'JOINT' if node.parent else 'ROOT'} {node.name}", pad + "{"]
        text.append(offset(depth + 1, here))
        text.append(f"{pad}  CHANNELS {count} {moving}Zrotation Xrotation Yrotation")
        children = [each for each in _NODES if each.parent == node.name]
        for child in children:
            text += lines(child, depth + 1)
        if not children:
            text += [f"{pad}  End Site", pad + "  {", offset(depth + 2, bone(node)), pad + "  }"]
        return [*text, pad + "}"]

    return lines(_NODES[0], 0)
