"""HDF5 of anybody: numbers of this one file, as many as it can hold."""

import h5py
import numpy as np
import pytest

from posezoo.data.hdf5 import numbers, read_hdf5, text


@pytest.fixture
def path(tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.arange(3.0)
    file = tmp_path / "a.h5"
    with h5py.File(file, "w") as content:
        content["good"] = np.arange(3.0)
        content["linked"] = h5py.ExternalLink("other.h5", "/secret")
        content["inside/linked"] = h5py.ExternalLink("other.h5", "/")
        content.create_dataset("raw", (8,), "u1", external=[(str(other), 0, 8)])
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(other), "secret", (3,))
        content.create_virtual_dataset("mosaic", layout)
        content.create_dataset("huge", (10**7, 17, 3), "f4", chunks=(1000, 17, 3))
        content.create_dataset("words", data=["a"], dtype=h5py.string_dtype())
        content.create_dataset("record", data=np.zeros(2, [("a", "f4")]))
        content["nothing"] = h5py.Empty("f4")
        content["loop"] = h5py.SoftLink("/loop")
        content.attrs["list"] = [1, 2]
        content.attrs["name"] = "a"
    return file


def read(path, name):
    return read_hdf5(path, lambda file: numbers(file, name), expected="numbers")


def test_numbers_are_read(path):
    assert read(path, "good").tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("linked", "'linked' lies in another file"),
        ("inside/linked/secret", "lies in another file"),
        ("raw", "raw lies in other files"),
        ("mosaic", "mosaic lies in other files"),
        ("huge", "declares 2,040,000,000 bytes"),
        ("words", "words is of object, expected numbers"),
        ("record", "expected numbers"),
        ("nothing", "expected numbers"),
        ("inside", "inside is a group"),
        ("loop", "a.h5: "),
        ("absent", "lacks absent"),
        ("good/x", "lacks good/x"),
    ],
)
def test_anything_else_is_refused_with_the_files_name(path, name, words):
    with pytest.raises(ValueError, match=r"a\.h5: ") as error:
        read(path, name)
    assert words.replace("'", "") in str(error.value).replace("'", "")
    assert str(error.value).isprintable()


def test_attributes_are_text(path):
    assert read_hdf5(path, lambda file: text(file, "name"), expected="x") == "a"
    with pytest.raises(ValueError, match="the attribute list is"):
        read_hdf5(path, lambda file: text(file, "list"), expected="x")


def test_a_file_that_is_none_is_said(tmp_path):
    (tmp_path / "a.h5").write_text("<html>")
    with pytest.raises(ValueError, match=r"a\.h5: not a whole HDF5 file"):
        read(tmp_path / "a.h5", "good")
    with pytest.raises(ValueError, match="no such file; expected numbers"):
        read(tmp_path / "b.h5", "good")
