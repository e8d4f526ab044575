import zipfile

import numpy as np
import pytest

from posezoo.data.convert.npz import npz_keys, open_npz


def test_plain_arrays_are_mapped_and_objects_read(tmp_path):
    path = tmp_path / "a.npz"
    columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez(path, rows=np.arange(12).reshape(3, 4), columns=columns, tree={"a": [1]}, one=7)
    found = open_npz(path, "rows", "columns", "tree", "one", trust=True)
    assert isinstance(found["rows"], np.memmap)
    assert found["rows"].tolist() == np.arange(12).reshape(3, 4).tolist()
    assert found["columns"].tolist() == columns.tolist()
    assert found["tree"] == {"a": [1]}
    assert found["one"] == 7
    assert sorted(npz_keys(path)) == ["columns", "one", "rows", "tree"]


def test_compressed_arrays_are_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, rows=np.arange(12).reshape(3, 4))
    assert (
        open_npz(path, "rows", trust=True)["rows"].tolist() == np.arange(12).reshape(3, 4).tolist()
    )


def test_what_is_lacking_is_named_with_what_is_there(tmp_path):
    np.savez(tmp_path / "a.npz", rows=1)
    with pytest.raises(ValueError, match=r"cols \(it has rows\)"):
        open_npz(tmp_path / "a.npz", "cols", trust=True)


def test_a_cut_file_is_an_error(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, rows=np.arange(1000))
    whole = path.read_bytes()
    for length in (0, 10, 500, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises((zipfile.BadZipFile, OSError, ValueError)):
            open_npz(path, "rows", trust=True)


def test_object_arrays_are_read_with_trust_only(tmp_path):
    np.savez(tmp_path / "a.npz", tree={"a": [1]}, plain=[1, 2])
    with pytest.raises(ValueError, match=r"'tree' is an object array.* give --trust"):
        open_npz(tmp_path / "a.npz", "tree", trust=False)
    assert open_npz(tmp_path / "a.npz", "plain", trust=False)["plain"].tolist() == [1, 2]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("value", [np.arange(1000.0), {"a": list(range(300))}])
def test_a_wrong_checksum_is_an_error(tmp_path, save, value):
    path = tmp_path / "a.npz"
    save(path, rows=value)
    with zipfile.ZipFile(path) as archive:
        checksum = archive.getinfo("rows.npy").CRC.to_bytes(4, "little")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(checksum, bytes(4)))
    with pytest.raises(ValueError, match="CRC"):
        open_npz(path, "rows", trust=True)


def test_a_shape_that_the_bytes_do_not_fill_is_an_error(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, rows=np.zeros(1000))
    whole = path.read_bytes().replace(b"(1000,)", b"(9999,)")
    path.write_bytes(whole)
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        open_npz(path, "rows", trust=False)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, rows=np.zeros(300_000_000, np.int8))
    assert path.stat().st_size < 400_000
    with pytest.raises(ValueError, match=r"300000000 bytes in .* packed ones"):
        open_npz(path, "rows", trust=False)
