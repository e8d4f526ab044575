"""Forward kinematics of captured motion: rotations of a tree of bones to positions of their ends.

All frames at once, in float64. Motion files differ in one thing: an ASF bone turns by its own
rotation, a BVH joint is carried by its parent's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_AXES = "xyz"


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes, each behind its parent; node 0 is the root and stands at the root's position."""

    names: tuple[str, ...]  # N
    parents: tuple[int, ...]  # N, smaller than the node's own number; -1 for the root
    offsets: Floats  # (N, 3) from the parent to the node, in the frame that carries it
    turned_by_itself: bool  # the frame that carries an offset: the node's own, or the parent's

    def forward(
        self,
        rotations: Floats,  # (F, N, 3, 3) of each node against its parent
        root: Floats,  # (F, 3) position of the root
        moved: dict[int, Floats] | None = None,  # nodes whose offset each frame gives anew: (F, 3)
    ) -> tuple[Floats, Floats]:  # positions (F, N, 3) and rotations (F, N, 3, 3), world frame
        """Place every node in every frame, in the unit of the offsets."""
        world = np.empty_like(rotations)
        places = np.empty(rotations.shape[:-1])
        for node, parent in enumerate(self.parents):
            if parent < 0:
                world[:, node], places[:, node] = rotations[:, node], root
                continue
            world[:, node] = world[:, parent] @ rotations[:, node]
            carrier = world[:, node if self.turned_by_itself else parent]
            offset = self.offsets[node] if moved is None or node not in moved else moved[node]
            places[:, node] = places[:, parent] + (carrier @ offset[..., None])[..., 0]
        return places, world


def euler_rotations(
    degrees: Floats,  # (..., K) angles in the order of `axes`
    axes: Sequence[str],  # K of "x", "y", "z"
) -> Floats:  # (..., 3, 3)
    """The product of turns about the axes, the first one outermost: R = R_1 R_2 ... R_K."""
    radians = np.deg2rad(degrees)
    product = np.broadcast_to(np.eye(3), (*radians.shape[:-1], 3, 3))
    for place, axis in enumerate(axes):
        product = product @ _about(_AXES.index(axis), radians[..., place])
    return product


def _about(axis: int, radians: Floats) -> Floats:
    second, third = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((*radians.shape, 3, 3))
    turn[..., axis, axis] = 1
    turn[..., second, second] = turn[..., third, third] = np.cos(radians)
    turn[..., third, second] = np.sin(radians)
    turn[..., second, third] = -turn[..., third, second]
    return turn
