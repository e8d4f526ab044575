"""Joint sets: names, parents, left/right pairs and the root of each, read from skeletons.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from posezoo.hints import unknown


@dataclass(frozen=True)
class Skeleton:
    """A named joint set. Joint order is part of the name: `h36m17` always means this order."""

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]  # the index of each joint's parent, -1 for the root
    left: tuple[int, ...]  # left[k] and right[k] change places in a mirror
    right: tuple[int, ...]
    root: int = 0
    family: str = ""  # sets of one family call the same point of the body by the same name

    @property
    def num_joints(self) -> int:
        """How many joints the set has."""
        return len(self.joints)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) of every joint but the root, in joint order."""
        return tuple((p, j) for j, p in enumerate(self.parents) if p >= 0)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """The joint that stands at place j once left and right have changed places."""
        swap = {
            **dict(zip(self.left, self.right, strict=True)),
            **dict(zip(self.right, self.left, strict=True)),
        }
        return tuple(swap.get(j, j) for j in range(self.num_joints))


def get_skeleton(name: str) -> Skeleton:
    """The joint set of that name; "points14" is 14 points that nobody has named.

    Raises:
        ValueError: no such set; the message lists those there are.
    """
    if match := re.fullmatch(r"points([1-9]\d{0,2})", name):
        return _points(int(match[1]))
    name_here = OTHER_NAMES.get(name, name)
    if name_here not in SKELETONS:
        raise ValueError(unknown("joint set", name, sorted(SKELETONS)))
    return SKELETONS[name_here]


def _points(count: int) -> Skeleton:
    """Points of which no left, no right and no bones are known: all hang on the first."""
    names = tuple(f"point_{i}" for i in range(count))
    parents = (-1, *(0 for _ in range(count - 1)))
    return Skeleton(name=f"points{count}", joints=names, parents=parents, left=(), right=())


def _read(path: Path) -> dict[str, Skeleton]:
    with path.open("rb") as file:
        return {name: _skeleton(name, **entry) for name, entry in tomllib.load(file).items()}


def _skeleton(name: str, family: str, joints: list[str], parents: list[int]) -> Skeleton:
    left = [j for j, joint in enumerate(joints) if joint.startswith("left_")]
    return Skeleton(
        name=name,
        joints=tuple(joints),
        parents=tuple(parents),
        left=tuple(left),
        right=tuple(joints.index(joints[j].replace("left_", "right_")) for j in left),
        root=parents.index(-1),
        family=family,
    )


OTHER_NAMES = {"mediapipe33": "blazepose33", "openpose25": "body25"}
# Sets with faces and hands: their first joints are those of these sets.
WHOLE_BODIES = {"coco_wholebody133": (133, "coco23"), "halpe136": (136, "halpe26")}
SKELETONS = _read(Path(__file__).with_name("skeletons.toml"))
H36M17 = SKELETONS["h36m17"]
