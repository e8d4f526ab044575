import io
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from benchmarks import fuzz_pickles
from posezoo.data.convert.plain_pickle import load_plain

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def read(value, protocol):
    return load(pickle.dumps(value, protocol))


def load(data):
    return load_plain(io.BytesIO(data), len(data))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_out_as_they_went_in(protocol):
    shared = [1, 2]
    value = {
        "numbers": [1, -3, 2**40, 10**20, 0.5, None, True, False],
        ("S1", "cam"): (1, (2, 3), ()),
        "text": ["", "a\nb", "über"],
        "twice": [shared, shared],
        "ordered": OrderedDict(a=1),
        "bytes": b"\x00\xff",
    }
    found = read(value, protocol)
    assert found == value
    assert found["twice"][0] is found["twice"][1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<f4").reshape(2, 3),
        np.arange(6, dtype=">f8").reshape(3, 2),
        np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        np.array([True, False]),
        np.array(["S1", "S11"]),
        np.zeros((0, 3)),
    ],
)
def test_arrays_keep_kind_order_and_values(array, protocol):
    found = read([array, array], protocol)[0]
    assert found.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert found.shape == array.shape
    assert (found == array).all()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_object_arrays_and_scalars_are_read(protocol):
    boxed = np.array([{"x": np.float32(3)}, [1]], object)
    found = read(boxed, protocol)
    assert found.tolist() == [{"x": 3.0}, [1]]


class Call:
    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "evil",
    [Call(os.system, "true"), Call(eval, "1"), Call(np.load, "x"), Call(np.fromfile, "x")],
)
def test_a_pickle_that_calls_anything_is_refused_and_nothing_is_called(evil, protocol):
    with pytest.raises(ValueError, match="a pickle that names"):
        read([evil], protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_of_a_class_are_refused(protocol):
    with pytest.raises(ValueError, match=r"a pickle (that names|of more than plain values)"):
        read(PickledClass(), protocol)


class PickledClass:
    pass


def test_a_cut_pickle_is_refused_at_every_length():
    whole = pickle.dumps({"a": np.arange(10.0), "b": ["x", 1]}, 4)
    for length in range(len(whole) - 1):
        with pytest.raises(ValueError, match=r"cut|damaged|plain values|of kind"):
            load(whole[:length])


def test_a_flipped_byte_never_does_more_than_fail_or_change_a_value():
    whole = bytearray(pickle.dumps({"a": np.arange(4.0), "b": ["x", 1, (2, 3)]}, 4))
    rng = np.random.default_rng(0)
    for _ in range(500):
        flipped = bytearray(whole)
        flipped[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        try:
            load(bytes(flipped))
        except ValueError:
            continue


def test_an_array_is_made_of_as_many_bytes_as_its_shape_says():
    whole = pickle.dumps(np.arange(4.0), 2)
    for shape in (b"K\x05\x85", b"K\x03\x85"):
        with pytest.raises(ValueError, match=r"an array of 32 bytes, not (40|24)"):
            load(whole.replace(b"K\x04\x85", shape))


def test_an_object_array_has_as_many_objects_as_its_shape_says():
    whole = pickle.dumps(np.array([None, "a", 2], object), 2)
    with pytest.raises(ValueError, match="an array of more or fewer objects"):
        load(whole.replace(b"K\x03\x85", b"K\x09\x85"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b")" + b"\x85" * 200_000 + b".", "more than 50 levels"),
        (b"}" + b")" + b"\x85" * 200_000 + b"K\x01s.", "more than 50 levels"),
        (b"})" + b"\x85" * 10 + b"K\x01s.", "keys are tuples of tuples"),
        (b"]" + b"q\x00]h\x00ah\x00a" * 40 + b".", "a small pickle of"),
        (b")" + b"q\x00h\x00\x86" * 40 + b".", "a small pickle of"),
        (b"]q\x00h\x00a.", "holds itself"),
        (b"\x8e" + b"\xff" * 7 + b"\x00abc.", "bytes follow"),
        (b"}]K\x01s.", "a list or an array as a key"),
    ],
)
def test_small_pickles_that_would_be_large_values_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        load(data)


def test_two_thousand_random_programs_are_read_or_refused():
    counts, faults = fuzz_pickles.run(0, 2000)
    assert not faults
    assert counts["read"] > 200
    assert counts["refused"] > 200
