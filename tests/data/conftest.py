"""Tiny motion-capture files and stores, made on the spot."""

import h5py
import numpy as np
import pytest

from posezoo.skeleton import H36M17

# One person standing at (300, -200) mm, arms a little out: Human3.6M-17 order, z up.
STANDING_MM = np.array((300, -200, 0)) + np.array([
    (0, 0, 930), (-110, 0, 920), (-120, -10, 490), (-125, 20, 90),
    (110, 0, 920), (120, -10, 490), (125, 20, 90),
    (0, 10, 1160), (0, 20, 1400), (0, 0, 1500), (0, -10, 1600),
    (150, 20, 1390), (300, 30, 1180), (420, 0, 1000),
    (-150, 20, 1390), (-300, 30, 1180), (-420, 0, 1000),
], float)  # fmt: skip


@pytest.fixture(scope="session")
def make_mocap():
    """Make a file of people with so many poses each; `change` alters the positions."""

    def make(path, people=None, change=lambda positions: positions, **attributes):
        luck = np.random.default_rng(0)
        with h5py.File(path, "w") as file:
            file.attrs.update({"units": "mm", "up_axis": "z", "parents": H36M17.parents})
            file.attrs.update(attributes)
            for person, count in (people or {"anna": 12, "ben": 3, "cem": 6}).items():
                poses = STANDING_MM + luck.normal(0, 20, (count, 17, 3))
                trial = file.create_group(f"{person}/walk_01")
                trial["positions_mm"] = change(poses).astype(np.float32)
                trial.attrs["action_class"] = "walk"
        return path

    return make


@pytest.fixture
def write_mocap(make_mocap, tmp_path):
    """The same as NAME_poses17.h5 in a folder of the test's own."""

    def write(name="studio", people=None, **options):
        return make_mocap(tmp_path / f"{name}_poses17.h5", people, **options)

    return write
