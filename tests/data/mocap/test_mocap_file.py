import h5py
import numpy as np
import pytest

from posezoo.data.mocap.mocap_file import find_mocap_files, read_mocap


def swapped(positions):
    """y up: what was up is now y, and z points back."""
    return positions[..., [0, 2, 1]] * (1, 1, -1)


def with_a_hole(positions):
    positions[1, 2] = np.nan
    return positions


def test_trials_come_with_their_person_action_and_poses(write_mocap):
    recordings = read_mocap(write_mocap(people={"anna": 4, "ben": 2}))
    assert [(each.subject, each.action, len(each.positions_mm)) for each in recordings] == [
        ("anna", "walk", 4),
        ("ben", "walk", 2),
    ]
    assert recordings[0].positions_mm.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p / 1000, r"0\.43.* mm long, expected 250 to 700: the numbers look like metres"),
        (lambda p: p / 10, "look like centimetres"),
        (lambda p: p / 25.4, "look like inches"),
        (lambda p: p / 56.444, "look like ASF units"),
        (lambda p: p * 100, "is the joint order right"),
        (swapped, r"trunks point along \+y on the whole, expected \+z"),
        (lambda p: p * (1, 1, -1), "trunks point along -z"),
        (with_a_hole, "/anna/walk_01: frame 1 has no number for right_knee"),
        (lambda p: p[:, :15], "expected 17 joints in the order pelvis, right_hip, .*; got 15"),
        (lambda p: p[..., :2], r"\(12, 17, 2\) of float32; expected /<subject>/<trial>"),
        (lambda p: p[:0], "holds no pose"),
    ],
)
def test_poses_that_are_not_what_they_say_are_refused(write_mocap, change, message):
    with pytest.raises(ValueError, match=message):
        read_mocap(write_mocap(change=change))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"units": "m"}, "units is 'm', expected 'mm'"),
        ({"up_axis": "y"}, "up_axis is 'y', expected 'z'"),
        ({"parents": list(range(-1, 16))}, "joints are not in the order pelvis, right_hip"),
    ],
)
def test_attributes_that_disagree_are_refused(write_mocap, attributes, message):
    with pytest.raises(ValueError, match=message):
        read_mocap(write_mocap(**attributes))


def test_files_that_are_not_there_or_not_hdf5_are_named(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_mocap(tmp_path / "none_poses17.h5")
    page = tmp_path / "page_poses17.h5"
    page.write_text("<html>404</html>")
    with pytest.raises(ValueError, match=r"page_poses17\.h5: not a whole HDF5 file"):
        read_mocap(page)
    with pytest.raises(ValueError, match=r"no file named \*_poses17\.h5"):
        find_mocap_files((tmp_path / "empty").mkdir() or tmp_path / "empty")


def test_files_without_trials_or_positions_are_refused(tmp_path):
    path = tmp_path / "x_poses17.h5"
    with h5py.File(path, "w"):
        pass
    with pytest.raises(ValueError, match="holds no trial"):
        read_mocap(path)
    with h5py.File(path, "a") as file:
        file.create_group("anna/walk")["positions"] = np.zeros((3, 17, 3))
    with pytest.raises(ValueError, match="/anna/walk lacks positions_mm"):
        read_mocap(path)
    with h5py.File(path, "w") as file:
        file["positions_mm"] = np.zeros((3, 17, 3))
    with pytest.raises(ValueError, match="positions_mm is not a group"):
        read_mocap(path)


def test_a_file_cut_at_any_length_is_refused(write_mocap, tmp_path):
    whole = write_mocap().read_bytes()
    cut = tmp_path / "cut_poses17.h5"
    for length in np.linspace(0, len(whole) - 1, 30).astype(int):
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a whole HDF5 file"):
            read_mocap(cut)
