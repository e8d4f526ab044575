"""Written by scipy, and by hand, since scipy writes little-endian only."""

import struct

import numpy as np
import pytest

from posezoo.data.convert.mat5 import read_mat5

MOST = 1 << 20


@pytest.mark.parametrize("packed", [False, True])
def test_every_kind_of_value_that_scipy_writes_comes_back(tmp_path, packed):
    savemat = pytest.importorskip("scipy.io").savemat
    path = tmp_path / "x.mat"
    cell = np.empty((1, 2), object)
    cell[0, 0], cell[0, 1] = np.array([[1, 2], [3, 4]], np.int16), "two"
    values = {
        "one": 7.5, "text": "n\u00e4me", "many": np.arange(6, dtype=np.float32).reshape(2, 3),
        "small": np.uint8(3), "cell": cell, "struct": {"x": 1.0, "of": {"y": "z"}},
        "none": np.empty((0, 0)),
    }  # fmt: skip
    savemat(path, values, do_compression=packed)
    assert read_mat5(path, "one", most=MOST) == 7.5
    assert read_mat5(path, "text", most=MOST) == "n\u00e4me"
    assert read_mat5(path, "many", most=MOST).tolist() == [0, 3, 1, 4, 2, 5]  # columns first
    assert read_mat5(path, "small", most=MOST) == 3
    first, second = read_mat5(path, "cell", most=MOST)
    assert (first.tolist(), second) == ([1, 3, 2, 4], "two")
    assert read_mat5(path, "struct", most=MOST) == [{"x": 1.0, "of": [{"y": "z"}]}]
    assert len(read_mat5(path, "none", most=MOST)) == 0
    with pytest.raises(ValueError, match="has no variable other"):
        read_mat5(path, "other", most=MOST)


def test_a_file_of_the_other_byte_order_is_read(tmp_path):
    flags = struct.pack(">IIII", 6, 8, 6, 0)
    sides = struct.pack(">IIii", 5, 8, 1, 2)
    name = struct.pack(">HH4s", 1, 1, b"x\0\0\0")
    numbers = struct.pack(">IIdd", 9, 16, 1.5, -2.0)
    body = flags + sides + name + numbers
    path = tmp_path / "x.mat"
    path.write_bytes(bytes(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body)
    assert read_mat5(path, "x", most=MOST).tolist() == [1.5, -2.0]


def test_a_tower_of_cells_is_refused(tmp_path):
    head = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1)
    body = b""
    for _ in range(40):
        body = head + struct.pack("<I4s", 0x00010001, b"x") + body
        body = struct.pack("<II", 14, len(body)) + body
    path = tmp_path / "x.mat"
    path.write_bytes(bytes(124) + b"\x00\x01IM" + body)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_mat5(path, "x", most=MOST)
