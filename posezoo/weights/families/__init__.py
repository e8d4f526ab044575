"""The families of files that can be imported: one module each, named here."""

from __future__ import annotations

import importlib

from posezoo.weights.family import Family

# A module may hold several families that share code: its FAMILIES.
MODULES = (
    "hourglass",
    "hrnet",
    "integral",
    "martinez",
    "mixste",
    "mmpose",
    "motionagformer",
    "motionbert",
    "poseformer",
    "semgcn",
    "simplebaseline",
    "videopose3d",
    "vitpose",
)  # fmt: skip


def families() -> tuple[Family, ...]:
    """All of them, in the order of their names."""
    found: list[Family] = []
    for name in MODULES:
        found += importlib.import_module(f"{__name__}.{name}").FAMILIES
    return tuple(sorted(found, key=lambda family: family.name))
