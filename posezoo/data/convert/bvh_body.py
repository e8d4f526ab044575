"""The 17 joints of a .bvh body, whoever made it: what has no node of its own is worked out.

The spine is half way along the back. Without a neck its base is the middle of the shoulders; the
top of the head is the head's end site, or, where that has no length, a quarter of a leg above the
skull's base. CMU's conversions by cgspeed lost the bone of the thorax and the last third of the
forearms: both are put back where that collection's signs are all there.
"""

from __future__ import annotations

import numpy as np

from posezoo.data.convert.bvh_names import END, NodeMap, plain_names
from posezoo.data.convert.kinematics import Floats, Tree
from posezoo.skeleton import H36M17

_FOREARM = 1.5  # elbow to wrist: the bone that cgspeed's files have, and the half that they lost
_HEAD_OF_LEG = 0.25  # from the base of the skull to its top, of hip to ankle
_TOPS = ("headtopend", "headend", "headtop", "headnub", "headsite", "tophead")


def is_cgspeed(tree: Tree) -> bool:
    """Whether a body is one of cgspeed's of CMU: its hip joints, and no bone of the thorax."""
    names = plain_names(tree.names)
    return {"lhipjoint", "rhipjoint"} <= set(names) and bool(_lost_thorax(tree, names))


def joints_of(
    tree: Tree,
    nodes: NodeMap,
    places: Floats,  # (F, N, 3)
    world: Floats,  # (F, N, 3, 3)
) -> tuple[Floats, list[str]]:  # (F, 17, 3) in the file's unit and axes
    """The joints, and what was put right or worked out in them."""
    found = {joint: places[:, list(own)].mean(1) for joint, own in nodes.nodes.items()}
    remarks: list[str] = []
    if "thorax" not in found:
        found["thorax"] = (found["left_shoulder"] + found["right_shoulder"]) / 2
        remarks.append("no neck: its base is the middle of the shoulders")
    found.setdefault("pelvis", (found["left_hip"] + found["right_hip"]) / 2)
    if "head" not in found:
        found["head"], remark = _top(tree, nodes.nodes["neck"][0], found, places, world)
        remarks += [remark] if remark else []
    if "neck" not in found:
        found["neck"] = (found["thorax"] + found["head"]) / 2
        remarks.append("no base of the skull: half way from the neck's base to the top")
    if "spine" not in found:
        found["spine"] = _half_way(tree, nodes, found, places)
    if is_cgspeed(tree):
        remarks += _put_back(tree, nodes, found, world)
    return np.stack([found[joint] for joint in H36M17.joints], 1), remarks


def _half_way(tree: Tree, nodes: NodeMap, found: dict[str, Floats], places: Floats) -> Floats:
    """The point in the middle of the back, on its bones."""
    if "thorax" not in nodes.nodes or len(nodes.nodes["thorax"]) > 1:
        return (found["pelvis"] + found["thorax"]) / 2
    left, right = (set(_above(tree, nodes.nodes[f"{side}_hip"][0])) for side in ("left", "right"))
    back = _above(tree, nodes.nodes["thorax"][0])
    fork = next(place for place, node in enumerate(back) if node in left & right)
    chain = back[: fork + 1][::-1]  # from where the legs begin up to the neck
    lengths = np.linalg.norm(tree.offsets[chain[1:]], axis=-1)
    ends = np.cumsum(lengths)
    if not len(ends) or ends[-1] == 0:
        return (found["pelvis"] + found["thorax"]) / 2
    bone = int(np.searchsorted(ends, ends[-1] / 2))
    share = (ends[-1] / 2 - (ends[bone] - lengths[bone])) / lengths[bone]
    low, high = places[:, chain[bone]], places[:, chain[bone + 1]]
    return low + share * (high - low)


def _top(
    tree: Tree, head: int, found: dict[str, Floats], places: Floats, world: Floats
) -> tuple[Floats, str]:
    plain = plain_names(tree.names)
    below = [node for node in range(len(plain)) if head in _above(tree, node)[1:]]
    ends = [node for node in below if plain[node] in _TOPS]
    ends += [node for node in below if tree.parents[node] == head and plain[node].endswith(END)]
    ends += [node for node in below if tree.parents[node] in ends]
    for node in ends:
        if tree.offsets[node].any():
            return places[:, node], ""
    up = tree.offsets[head]
    if not up.any():
        direction = found["neck"] - found["thorax"]
    else:
        direction = np.einsum("fij,j->fi", world[:, head], up)
    length = np.linalg.norm(direction, axis=-1, keepdims=True).clip(1e-9)
    leg = sum(
        np.linalg.norm(found["left_" + a] - found["left_" + b], axis=-1, keepdims=True)
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    )
    remark = "no top of the head: a quarter of a leg above the base of the skull"
    return found["neck"] + direction / length * leg * _HEAD_OF_LEG, remark


def _lost_thorax(tree: Tree, plain: list[str]) -> list[int]:
    """The node whose turned offset the lost bone repeats: the parent of a neck without length."""
    necks = [k for k, name in enumerate(plain) if name in {"lowerneck", "neck"}]
    neck = min(necks, key=lambda k: plain[k] != "lowerneck", default=0)
    above = tree.parents[neck]
    return [above] if neck and above >= 0 and not tree.offsets[neck].any() else []


def _put_back(tree: Tree, nodes: NodeMap, found: dict[str, Floats], world: Floats) -> list[str]:
    (back,) = _lost_thorax(tree, plain_names(tree.names))
    bone = np.einsum("fij,j->fi", world[:, back], tree.offsets[back])
    for joint in H36M17.joints[8:]:
        found[joint] = found[joint] + bone
    remarks = ["thorax bone put back"]
    hands = [nodes.nodes[f"{side}_wrist"][0] for side in ("left", "right")]
    fingers = [
        [node for node, parent in enumerate(tree.parents) if parent == hand] for hand in hands
    ]
    # A hand with fingers, all of them at the wrist itself: not one that merely ends there.
    if all(
        own and not tree.offsets[own].any() and not tree.names[own[0]].endswith(END)
        for own in fingers
    ):
        for side in ("left", "right"):
            elbow = found[f"{side}_elbow"]
            found[f"{side}_wrist"] = elbow + _FOREARM * (found[f"{side}_wrist"] - elbow)
        remarks.append("last third of the forearms put back")
    return remarks


def _above(tree: Tree, node: int) -> list[int]:
    """The node and all above it, up to the root."""
    chain = [node]
    while tree.parents[chain[-1]] >= 0:
        chain.append(tree.parents[chain[-1]])
    return chain
