"""The families of files that can be imported: one module each, named here."""

from __future__ import annotations

import importlib

from posezoo.weights.family import Family

# A module may hold several families that share code: its FAMILIES.
MODULES = (
    "martinez",
    "mixste",
    "motionagformer",
    "motionbert",
    "poseformer",
    "semgcn",
    "videopose3d",
)  # fmt: skip


def families() -> tuple[Family, ...]:
    """All of them, in the order of their names."""
    found: list[Family] = []
    for name in MODULES:
        found += importlib.import_module(f"{__name__}.{name}").FAMILIES
    return tuple(sorted(found, key=lambda family: family.name))
