"""Arrays of an .npz by their names, and nothing that the file cannot hold."""

import io
import zipfile

import numpy as np
import pytest

from posezoo.npz_file import read_arrays


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npz"


def written(path, header, data=b"\0" * 24, packing=zipfile.ZIP_STORED):
    """An array `x` of any header."""
    text = f"{{'descr': {header}, }}\n".encode()
    with zipfile.ZipFile(path, "w", packing) as archive:
        start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
        archive.writestr("x.npy", start + text + data)
    return path


def test_those_that_are_asked_for_or_all_come_as_they_were_saved(path):
    saved = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.eye(3)), "c": np.array(7)}
    np.savez_compressed(path, **saved)
    assert [*read_arrays(path, "b")] == ["b"]
    for name, array in read_arrays(path).items():
        np.testing.assert_array_equal(array, saved[name])
        assert array.dtype == saved[name].dtype and array.flags.writeable


def test_a_missing_file_another_kind_and_a_missing_array_are_named(path, tmp_path):
    with pytest.raises(ValueError, match=r"a\.npz is not there"):
        read_arrays(path)
    path.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ValueError, match=r"a\.npz is no \.npz file"):
        read_arrays(path)
    np.savez(path, b=np.zeros(3))
    with pytest.raises(ValueError, match=r"a\.npz has no array 'a'"):
        read_arrays(path, "a")


def test_objects_are_not_read(path):
    np.savez(path, x=np.array({}, object))
    with pytest.raises(ValueError, match="'x' cannot be read: it is an object array, a pickle"):
        read_arrays(path)


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(3, 1000)", "()"])
def test_a_shape_of_more_or_less_than_there_is_is_refused(path, shape):
    written(path, f"'<f8', 'fortran_order': False, 'shape': {shape}")
    with pytest.raises(ValueError, match=r"a\.npz: 'x' says \d+ bytes and has 24"):
        read_arrays(path)


@pytest.mark.parametrize("header", ["'<f8', 'shape': (3,)", "'no kind'", "0", "[" * 50])
def test_a_header_that_is_none_is_one_line(path, header):
    with pytest.raises(ValueError, match=r"a\.npz: not a whole \.npz") as error:
        read_arrays(written(path, header))
    assert str(error.value).isprintable() and len(str(error.value)) < 400


def test_zeros_packed_to_nothing_are_refused_before_they_are_unpacked(path):
    np.savez_compressed(path, **{f"a{k}": np.zeros(30_000_000, np.uint8) for k in range(10)})
    with pytest.raises(ValueError, match=r"its arrays declare 300,001,280 bytes"):
        read_arrays(path)
    assert read_arrays(path, "a3")["a3"].shape == (30_000_000,)


def test_a_flipped_byte_is_found(path):
    np.savez(path, x=np.zeros(100))
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="not a whole"):
        read_arrays(path)


def test_a_packing_of_another_kind_is_read_too(path):
    file = io.BytesIO()
    np.save(file, np.arange(3))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", file.getvalue())
    assert read_arrays(path)["x"].tolist() == [0, 1, 2]
