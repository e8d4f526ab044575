"""Which joint set a file is of: by the names in it, by how many there are, or by the user's word.

Whole-body sets begin with a body: of Halpe's 136 points the first 26 are used, of COCO-WholeBody's
133 the first 23; faces and hands say nothing about the joints of a body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from posezoo.hints import shown
from posezoo.skeleton import SKELETONS, WHOLE_BODIES, Skeleton

_WHOLE = dict(WHOLE_BODIES.values())
# Joints of a file: the set that they are, or begin with.
COCO_COUNTS = {17: "coco17", 133: _WHOLE[133]}
HALPE_COUNTS = {17: "coco17", 26: "halpe26", 133: _WHOLE[133], 136: _WHOLE[136]}
OPENPOSE_COUNTS = {18: "openpose18", 25: "body25"}
_FEWEST_NAMES = 3  # in common, for a set to be recognised by names

_SAME = {  # what names are called elsewhere
    "mid_hip": "hip", "midhip": "hip", "hips": "hip", "pelvis": "hip", "root": "hip",
    "head": "head_top", "top_head": "head_top", "headtop": "head_top", "head_bottom": "neck",
    "thorax": "neck",
}  # fmt: skip
_PARTS = "shoulder elbow wrist hip knee ankle eye ear heel big_toe small_toe".split()


@dataclass(frozen=True, slots=True)
class Joints:
    """A joint set, and the place in it of each of the file's points."""

    skeleton: Skeleton
    places: tuple[int | None, ...]  # None: a point that the set does not have
    note: str = ""


def by_count(
    count: int, known: Mapping[int, str], path: Path, wanted: Skeleton | None, tool: str
) -> Joints:
    """The set of a file that names no joints.

    Raises:
        ValueError: the tool writes no such number, or the wanted set has more.
    """
    if wanted is not None:
        if count < wanted.num_joints:
            raise ValueError(
                f"{path}: has {count} joints a person, {wanted.name} has {wanted.num_joints}"
            )
        name = wanted.name
    elif count in known:
        name = known[count]
    else:
        raise ValueError(
            f"{path}: {count} joints a person without names, expected "
            f"{' or '.join(map(str, known))} of {tool}; name the set by --joints "
            f"({', '.join(_of_count(count)) or ', '.join(SKELETONS)})"
        )
    skeleton = SKELETONS[name]
    places = tuple(n if n < skeleton.num_joints else None for n in range(count))
    note = f"{count} joints without names: taken as {name}"
    if count > skeleton.num_joints:
        note = f"{count} joints without names: the first {skeleton.num_joints} taken as {name}"
    return Joints(skeleton, places, "" if wanted is not None else note)


def by_names(names: Sequence[str], path: Path, wanted: Skeleton | None) -> Joints:
    """The set that has the most of these names, in whatever order and spelling.

    Raises:
        ValueError: no set has three of them, sets of several families have as many, or the wanted
            set has too few.
    """
    plain = [plain_name(name) for name in names]
    if wanted is not None:
        places = _places(plain, wanted)
        if sum(place is not None for place in places) < _FEWEST_NAMES:
            raise ValueError(
                f"{path}: its joints ({_some(names)}) are not those of {wanted.name} "
                f"({_some(wanted.joints)})"
            )
        return Joints(wanted, places, _left_out(names, places, wanted))
    found = {
        skeleton: sum(place is not None for place in _places(plain, skeleton))
        for skeleton in SKELETONS.values()
        if skeleton.family != "places"  # told to lifters, written by nobody
    }
    most = max(found.values())
    if most < _FEWEST_NAMES:
        raise ValueError(
            f"{path}: no joint set has its names ({_some(names)}); known sets: "
            f"{', '.join(SKELETONS)}"
        )
    best: dict[str, Skeleton] = {}  # the smallest of each family
    for skeleton in sorted(found, key=lambda each: each.num_joints):
        if found[skeleton] == most:
            best.setdefault(skeleton.family, skeleton)
    whole = [skeleton for skeleton in best.values() if skeleton.num_joints == most == len(names)]
    if len(whole) == 1:  # its names, all of them and no others
        best = {whole[0].family: whole[0]}
    if len(best) > 1:
        choices = " or ".join(skeleton.name for skeleton in best.values())
        raise ValueError(
            f"{path}: its joints ({_some(names)}) may be those of {choices}, which put them on "
            "different places of the body: say which by --joints"
        )
    (chosen,) = best.values()
    places = _places(plain, chosen)
    return Joints(chosen, places, _left_out(names, places, chosen))


def plain_name(name: str) -> str:
    """`LeftWrist`, `l_wrist`, `wristL`, `left wrist` and `LWrist` are all left_wrist."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\s.\-]+", "_", name)
    parts = [part for part in words.lower().split("_") if part]
    side = ""
    for short, long in (("l", "left"), ("r", "right"), ("left", "left"), ("right", "right")):
        if short in parts:
            parts.remove(short)
            side = long
    rest = "_".join(parts)
    for part in _PARTS:  # in one word: leftwrist, lwrist
        if not side and rest in {f"left{part}", f"l{part}", f"right{part}", f"r{part}"}:
            side, rest = ("left" if rest[0] == "l" else "right"), part
    return f"{side}_{rest}" if side else rest


def _places(plain: Sequence[str], skeleton: Skeleton) -> tuple[int | None, ...]:
    index = {name: place for place, name in enumerate(skeleton.joints)}
    for name, place in tuple(index.items()):
        if name in _SAME:  # h36m's own "pelvis" under the common name
            index.setdefault(_SAME[name], place)
    places: list[int | None] = []
    for name in plain:
        found = index.get(name, index.get(_SAME.get(name, "")))
        places.append(None if found in places else found)
    return tuple(places)


def _left_out(names: Sequence[str], places: Sequence[int | None], skeleton: Skeleton) -> str:
    lost = [name for name, place in zip(names, places, strict=True) if place is None]
    text = f"joints by their names: {skeleton.name}"
    return f"{text}, without {_some(lost)}" if lost else text


def _of_count(count: int) -> list[str]:
    return [
        name
        for name, skeleton in SKELETONS.items()
        if skeleton.num_joints == count and skeleton.family != "places"
    ]


def _some(names: Sequence[str]) -> str:
    some = ", ".join(shown(name, 30) for name in names[:6])
    return f"{some}, ..." if len(names) > 6 else some
