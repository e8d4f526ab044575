import zipfile

import numpy as np
import pytest

from posezoo.data.convert.npz import npz_keys, open_npz


def test_plain_arrays_are_mapped_and_objects_read(tmp_path):
    path = tmp_path / "a.npz"
    columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez(path, rows=np.arange(12).reshape(3, 4), columns=columns, tree={"a": [1]}, one=7)
    found = open_npz(path, "rows", "columns", "tree", "one")
    assert isinstance(found["rows"], np.memmap)
    assert found["rows"].tolist() == np.arange(12).reshape(3, 4).tolist()
    assert found["columns"].tolist() == columns.tolist()
    assert found["tree"] == {"a": [1]}
    assert found["one"] == 7
    assert sorted(npz_keys(path)) == ["columns", "one", "rows", "tree"]


def test_compressed_arrays_are_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, rows=np.arange(12).reshape(3, 4))
    assert open_npz(path, "rows")["rows"].tolist() == np.arange(12).reshape(3, 4).tolist()


def test_what_is_lacking_is_named_with_what_is_there(tmp_path):
    np.savez(tmp_path / "a.npz", rows=1)
    with pytest.raises(KeyError, match=r"cols \(it has rows\)"):
        open_npz(tmp_path / "a.npz", "cols")


def test_a_cut_file_is_an_error(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, rows=np.arange(1000))
    whole = path.read_bytes()
    for length in (0, 10, 500, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises((zipfile.BadZipFile, OSError, ValueError)):
            open_npz(path, "rows")
