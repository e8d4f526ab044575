"""Tiny motion-capture files of a test's own."""

import pytest


@pytest.fixture
def write_mocap(make_mocap, tmp_path):
    """The same as NAME_poses17.h5 in a folder of the test's own."""

    def write(name="studio", people=None, **options):
        return make_mocap(tmp_path / f"{name}_poses17.h5", people, **options)

    return write
