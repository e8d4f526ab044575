"""Joint sets as data: names, parents, left/right pairs and the root of each set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Skeleton:
    """A named joint set. Joint order is part of the name: `h36m17` always means this order."""

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]  # the index of each joint's parent, -1 for the root
    left: tuple[int, ...]  # left[k] and right[k] change places in a mirror
    right: tuple[int, ...]
    root: int = 0

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


H36M17 = Skeleton(
    name="h36m17",
    joints=(
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "spine",
        "thorax",
        "neck",
        "head",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    ),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
    left=(4, 5, 6, 11, 12, 13),
    right=(1, 2, 3, 14, 15, 16),
)

SKELETONS = {skeleton.name: skeleton for skeleton in (H36M17,)}


def get_skeleton(name: str) -> Skeleton:
    """The joint set of that name.

    Raises:
        ValueError: no such set; the message lists those there are.
    """
    if name not in SKELETONS:
        raise ValueError(f"unknown joint set '{name}'. Known: {', '.join(sorted(SKELETONS))}")
    return SKELETONS[name]
