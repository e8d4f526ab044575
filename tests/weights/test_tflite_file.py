"""Files of a few bytes with known weights, read back."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from posezoo.weights.tflite_file import read_convolutions

_spec = importlib.util.spec_from_file_location(
    "tflite_writer", Path(__file__).with_name("tflite_writer.py")
)
writer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(writer)

CONV, DEPTHWISE = 3, 4
WEIGHT = np.arange(2 * 3 * 3 * 4, dtype=np.float32).reshape(2, 3, 3, 4)
BIAS = np.array([0.5, -1.0], np.float32)


def rows_of(weight, kind):
    """A weight's sparsity: rows along the last axis."""
    rows = weight.reshape(-1, weight.shape[-1])
    starts = np.concatenate(([0], np.cumsum((rows != 0).sum(1)))).astype(kind)
    columns = np.nonzero(rows)[1].astype(kind)
    number = {np.int32: 1, np.uint16: 2, np.uint8: 3}[kind]
    dense = [writer.Table(_0=0, _1=size) for size in weight.shape[:-1]]
    held = [writer.Table(_0=values) for values in (starts, columns)]
    last = writer.Table(_0=1, _2=number, _3=held[0], _4=number, _5=held[1])
    return writer.Table(_0=writer.ints(*range(weight.ndim)), _2=[*dense, last])


def test_a_convolution_is_laid_out_as_torch_has_it():
    (found,) = read_convolutions(writer.convolution(CONV, WEIGHT, BIAS))
    assert found.weight.shape == (2, 4, 3, 3)
    assert found.weight[1, 3, 0, 2] == WEIGHT[1, 0, 2, 3] == 47
    assert found.bias.tolist() == [0.5, -1.0]


def test_a_depthwise_convolution_has_its_channels_first():
    weight = WEIGHT[:1]
    (found,) = read_convolutions(writer.convolution(DEPTHWISE, weight, np.zeros(4, np.float32)))
    assert found.weight.shape == (4, 1, 3, 3)
    assert found.weight[2, 0, 1, 1] == weight[0, 1, 1, 2]


@pytest.mark.parametrize("kind", [np.int32, np.uint16, np.uint8])
def test_sparse_weights_are_filled_with_zeros(kind):
    weight = np.where(WEIGHT % 3 == 1, WEIGHT, 0).astype(np.float32)
    data = writer.convolution(CONV, weight, BIAS, sparse=rows_of(weight, kind))
    (found,) = read_convolutions(data)
    assert np.array_equal(found.weight, weight.transpose(0, 3, 1, 2))


def test_other_files_are_refused():
    with pytest.raises(ValueError, match="not a TensorFlow Lite file: it begins with b'PK"):
        read_convolutions(b"PK\3\4\0\0\0\0" * 9)


def test_a_file_that_is_cut_off_is_refused_wherever_it_is_cut():
    whole = writer.convolution(CONV, WEIGHT, BIAS)
    for size in range(8, len(whole), 7):
        with pytest.raises(ValueError, match=r"damaged|weights"):
            read_convolutions(whole[:size])


def test_sparse_weights_of_another_layout_are_refused():
    sparse = rows_of(WEIGHT, np.int32)
    sparse.fields[0] = writer.ints(3, 0, 1, 2)
    with pytest.raises(ValueError, match="expected rows along the last axis"):
        read_convolutions(writer.convolution(CONV, WEIGHT, BIAS, sparse=sparse))
