"""Which node of a .bvh file is which joint: by the names that capture programs give, or by a map.

Prefixes go (`mixamorig:`, `Character1_`, `DEF-`), and so do case and separators: `thigh.L`,
`L_Thigh` and `LeftThigh` are one. Known are the names of MotionBuilder (Mixamo, LAFAN1, Perception
Neuron), Rokoko, Blender and Rigify, 3ds Max and Unreal, Unity and VRM, Xsens, Poser and Daz,
Biovision, the CMU bodies, and hip-knee-ankle. A `--map FILE.toml` says it for others:
`left_hip = "thighL"`, or two nodes for the middle between them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from msgspec import Meta

from posezoo.data.text_file import read_text
from posezoo.hints import shown
from posezoo.skeleton import H36M17
from posezoo.typed_files import Name, parse_toml, typed

_Map: TypeAlias = dict[str, Name | Annotated[list[Name], Meta(min_length=1)]]
END = ".end"  # of the name of a joint's end site
LIMBS = tuple(f"{side}_{part}" for side in ("right", "left") for part in
              ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"))  # fmt: skip
# Hip, knee, ankle, shoulder, elbow, wrist, without the side.
_PROGRAMS = {
    "MotionBuilder, Mixamo, LAFAN1 or Perception Neuron": "upleg leg foot arm forearm hand",
    "Rokoko": "thigh shin foot arm forearm hand",
    "Blender or Rigify": "thigh shin foot upperarm forearm hand",
    "3ds Max or Unreal": "thigh calf foot upperarm forearm hand",
    "Unreal": "thigh calf foot upperarm lowerarm hand",
    "Unity or VRM": "upperleg lowerleg foot upperarm lowerarm hand",
    "Xsens": "upperleg lowerleg foot upperarm forearm hand",
    "Poser or Daz": "thigh shin foot shldr forearm hand",
    "Biovision": "upleg lowleg foot uparm lowarm hand",
    "CMU": "femur tibia foot humerus radius hand",
    "hip, knee, ankle": "hip knee ankle shoulder elbow wrist",
}
# Bodies with nodes of their own; all of them must be there.
_BODIES: dict[str, dict[str, tuple[str, ...]]] = {
    "cgspeed Daz names (retargeted; neck and head are approximate)": {
        "spine": ("abdomen",), "thorax": ("lcollar", "rcollar"), "neck": ("head",),
        "head": ("lefteye", "righteye"),
    },
    "posezoo's own (posezoo predict --bvh)": {
        "right_ankle": (f"rightknee{END}",), "left_ankle": (f"leftknee{END}",),
        "spine": ("spine",), "thorax": ("thorax",), "neck": ("neck",), "head": (f"neck{END}",),
        "left_wrist": (f"leftelbow{END}",), "right_wrist": (f"rightelbow{END}",),
    },
}  # fmt: skip
_SIDES = (("left{}", "right{}"), ("l{}", "r{}"), ("{}left", "{}right"), ("{}l", "{}r"))
_HEADS = ("head", "spine006", "skull")  # Rigify's spine goes up to the head
_NECKS = {"head": ("lowerneck", "neck", "neck1", "necklower"), "spine006": ("spine004",)}
_PREFIX = re.compile(r"^(.*:|mixamorig\d*_?|(def|org|mch)[-_]|bip\d*[ _])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NodeMap:
    """The nodes of each joint of h36m17; several: their middle. What is missing is worked out."""

    program: str
    nodes: dict[str, tuple[int, ...]]


def map_nodes(path: Path, names: Sequence[str], given: Mapping[str, tuple[str, ...]]) -> NodeMap:
    """Find the joints.

    Args:
        path: the file, for errors.
        names: of its nodes.
        given: what the user's map says; it goes before what the names tell.

    Raises:
        ValueError: a limb or the head has no node, or the map names nodes that the file lacks.
    """
    plain = plain_names(names)
    program, nodes = _by_program(plain)
    for body, own in _BODIES.items():
        if all(name in plain for wanted in own.values() for name in wanted):
            program = body
            nodes |= {joint: tuple(map(plain.index, wanted)) for joint, wanted in own.items()}
    for joint, wanted in given.items():
        lost = [name for name in wanted if name not in names]
        if lost:
            raise ValueError(
                f"{path}: the map's {joint} is {shown(', '.join(lost))}, but the file has "
                f"{_listed(names)}"
            )
        nodes[joint] = tuple(names.index(name) for name in wanted)
    if given:
        program = "the map"
    twice = [names[k] for own in nodes.values() for k in own if names.count(names[k]) > 1]
    if twice:
        raise ValueError(f"{path}: two joints are called {shown(twice[0])}; give each its own name")
    lost = [joint for joint in LIMBS if joint not in nodes]
    lost += [] if "neck" in nodes else ["neck"]
    if lost:
        raise ValueError(
            f"{path}: no node for {', '.join(lost)} among its joints {_listed(names)}; say which "
            f'by --map FILE.toml with lines like {lost[0]} = "NAME". Known are the names of '
            f"{'; '.join(_PROGRAMS)}"
        )
    return NodeMap(program, nodes)


def read_map(path: Path) -> dict[str, tuple[str, ...]]:
    """A map of the user's: joints of h36m17 to names of nodes.

    Raises:
        ValueError: no such file, no TOML, or joints that are none.
    """
    expected = (
        f"a map in TOML: a joint of {', '.join(H36M17.joints)} and the name of a node, or a list"
    )
    text = read_text(path)  # whatever its ending
    table = typed(parse_toml(text, where=str(path)), _Map, where=str(path), expected=expected)
    for joint in table:
        if joint not in H36M17.joints:
            raise ValueError(f"{path}: {shown(joint)} is no joint; expected {expected}")
    return {
        joint: (nodes,) if isinstance(nodes, str) else tuple(nodes)
        for joint, nodes in table.items()
    }


def plain_names(names: Sequence[str]) -> list[str]:
    """Names without prefix, case and separators; end sites keep their ending."""
    common = _common_prefix([name for name in names if not name.endswith(END)])
    plain = []
    for name in names:
        stem, end = (name.removesuffix(END), END) if name.endswith(END) else (name, "")
        stem = _PREFIX.sub("", stem.removeprefix(common))
        plain.append(re.sub(r"[^a-z0-9]", "", stem.lower()) + end)
    return plain


def _by_program(plain: Sequence[str]) -> tuple[str, dict[str, tuple[int, ...]]]:
    """The program whose names are all there, else the one that lacks fewest."""
    best: tuple[str, dict[str, tuple[int, ...]]] = ("", {})
    for program, stems in _PROGRAMS.items():
        parts = dict(zip(("hip", "knee", "ankle", "shoulder", "elbow", "wrist"), stems.split(),
                         strict=True))  # fmt: skip
        for left, right in _SIDES:
            nodes: dict[str, tuple[int, ...]] = {
                f"{side}_{part}": (plain.index(pattern.format(stem)),)
                for side, pattern in (("left", left), ("right", right))
                for part, stem in parts.items()
                if pattern.format(stem) in plain
            }
            if len(nodes) > len(best[1]):
                best = program, nodes
    found = best[1]
    head = next((name for name in _HEADS if name in plain), "")
    if head:
        found["neck"] = (plain.index(head),)
        neck = next((name for name in _NECKS.get(head, ()) if name in plain), "")
        if neck:
            found["thorax"] = (plain.index(neck),)
    return best


def _common_prefix(names: Sequence[str]) -> str:
    """What nearly all names begin with, up to a separator: `Character1_`, `Bip01 `."""
    starts = [match.group() for name in names if (match := re.match(r"^[A-Za-z0-9]+[_: \-]", name))]
    for start in sorted(set(starts), key=starts.count, reverse=True)[:1]:
        sided = start[:-1].lower() in {"l", "r", "left", "right"}
        if not sided and starts.count(start) >= 0.7 * len(names):
            return start
    return ""


def _listed(names: Sequence[str]) -> str:
    own = [shown(name, 30) for name in names if not name.endswith(END)]
    return ", ".join(own[:40]) + (f" and {len(own) - 40} more" if len(own) > 40 else "")
